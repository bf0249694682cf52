use super::{
    Fixture,
    steps::{consume, declared, die, drain, id, message, publish, publish_ids, quiet, receive},
};
use crate::{Error, message::names, transport::Destination, transport::Subscription};

/// What a process held when it died is delivered again, and its count says so.
pub async fn what_a_dead_process_held_comes_back_counted(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "death").await;
    publish(&broker, &queue, message("held")).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    let held = receive(&mut consumer).await;
    assert_eq!(held.deliveries, 1);
    die(broker, consumer, vec![held]).await;

    let next = fixture.broker();
    let mut consumer = consume(&next, &queue, 1).await;
    let again = receive(&mut consumer).await;
    assert_eq!((id(&again).as_str(), again.deliveries), ("held", 2));
    again.ack().await.unwrap();
    quiet(&mut consumer).await;
}

/// The count rises with every death, so that somebody can say when it is enough.
pub async fn every_death_counts(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "deaths").await;
    publish(&broker, &queue, message("poison")).await;
    broker.close().await;
    for expected in 1..=6 {
        let broker = fixture.broker();
        let mut consumer = consume(&broker, &queue, 1).await;
        let held = receive(&mut consumer).await;
        assert_eq!((id(&held).as_str(), held.deliveries), ("poison", expected));
        die(broker, consumer, vec![held]).await;
    }
}

/// Who lost a delivery hears so when it settles, and the message is somebody else's.
pub async fn an_ack_after_loss_is_refused(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "lost-ack").await;
    publish(&broker, &queue, message("lost")).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    let lost = receive(&mut consumer).await;
    die(broker, consumer, Vec::new()).await;

    let next = fixture.broker();
    let mut consumer = consume(&next, &queue, 1).await;
    let again = receive(&mut consumer).await;
    let refusal = lost.ack().await;
    assert!(matches!(refusal, Err(Error::DeliveryLost { .. })), "{refusal:?}");
    again.ack().await.expect("the one who holds it can settle it");
}

/// The same for a copy; the original stays.
pub async fn a_replace_after_loss_is_refused(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "lost-replace").await;
    publish(&broker, &queue, message("lost")).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    let lost = receive(&mut consumer).await;
    die(broker, consumer, Vec::new()).await;

    let next = fixture.broker();
    let mut consumer = consume(&next, &queue, 1).await;
    let again = receive(&mut consumer).await;
    let elsewhere = fixture.queue("lost-replace-elsewhere");
    next.transport().declare(&elsewhere).await.unwrap();
    assert!(lost.replace(&Destination::now(elsewhere), &message("copy")).await.is_err());
    again.ack().await.expect("the one who holds it can settle it");
}

/// Messages whose workers died twice are delivered one at a time, and hold up nobody else.
pub async fn suspects_come_one_at_a_time(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "suspects").await;
    publish_ids(&broker, &queue, &["s1", "s2", "s3"]).await;
    broker.close().await;
    for _ in 0..Subscription::DEFAULT_ISOLATE_AFTER {
        let broker = fixture.broker();
        let mut consumer = consume(&broker, &queue, 3).await;
        let held = vec![receive(&mut consumer).await, receive(&mut consumer).await, receive(&mut consumer).await];
        die(broker, consumer, held).await;
    }

    let broker = fixture.broker();
    publish_ids(&broker, &queue, &["healthy-1", "healthy-2"]).await;
    let mut consumer = consume(&broker, &queue, 8).await;
    let mut suspects = 0;
    let mut held = None;
    for _ in 0..3 {
        let delivery = receive(&mut consumer).await;
        if id(&delivery).starts_with('s') {
            assert_eq!(delivery.deliveries, 3);
            suspects += 1;
            held = Some(delivery);
        } else {
            delivery.ack().await.unwrap();
        }
    }
    assert_eq!(suspects, 1);
    // What arrives meanwhile goes past the suspect, and brings no second one along.
    publish(&broker, &queue, message("healthy-3")).await;
    assert_eq!(drain(&mut consumer, 1).await, ["healthy-3"]);
    quiet(&mut consumer).await;
    held.expect("one suspect is held").ack().await.unwrap();
    for _ in 0..2 {
        let suspect = receive(&mut consumer).await;
        assert_eq!(suspect.deliveries, 3);
        quiet(&mut consumer).await;
        suspect.ack().await.unwrap();
    }
}

/// Deaths are remembered over copies: a given-back suspect is a suspect.
pub async fn copies_of_suspects_are_suspects(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "suspect-copies").await;
    for id in ["s1", "s2"] {
        let mut suspect = message(id);
        suspect.headers.set(names::DELIVERIES, Subscription::DEFAULT_ISOLATE_AFTER);
        publish(&broker, &queue, suspect).await;
    }
    let mut consumer = consume(&broker, &queue, 8).await;
    let first = receive(&mut consumer).await;
    assert_eq!(first.deliveries, Subscription::DEFAULT_ISOLATE_AFTER + 1);
    quiet(&mut consumer).await;
    first.ack().await.unwrap();
    drain(&mut consumer, 1).await;
}
