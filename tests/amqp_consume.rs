//! Consuming from RabbitMQ: counts, isolation, acknowledgements, queues that are not as declared.

use std::collections::BTreeSet;

use celeriac_broker::{
    Error, Queue,
    transport::{Adoption, Destination},
};
use lapin::{
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};

use crate::{
    amqp_steps::{broker, consume, id, message, publish, queue, ready, receive, stranger},
    support::{BOUND, eventually},
};

#[tokio::test]
async fn a_queue_deleted_under_its_consumer_is_declared_again_and_consumed() {
    let (broker, queue) = (broker(), queue("deleted-under"));
    let mut consumer = consume(&broker, &queue, 4).await;
    publish(&broker, &queue, "before").await;
    receive(&mut consumer).await.ack().await.unwrap();
    let (_connection, channel) = stranger().await;
    channel.queue_delete(queue.name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();

    let (mut consumer, ()) = tokio::join!(
        async {
            let delivery = receive(&mut consumer).await;
            assert_eq!(id(&delivery), "after");
            delivery.ack().await.unwrap();
            consumer
        },
        async {
            let found = || async { broker.transport().queue(&queue.name).await.unwrap() };
            eventually(BOUND, found).await;
            let publisher = crate::amqp_steps::broker();
            publisher.publish_message(Destination::now(queue.clone()), message("after")).await.unwrap();
        }
    );
    consumer.stop().await;
    assert!(!consumer.is_connected());
}

#[tokio::test]
async fn an_existing_queue_with_other_arguments_is_adopted_and_used() {
    let (broker, queue) = (broker(), queue("adopted"));
    let (_connection, channel) = stranger().await;
    let name = queue.name.as_str();
    channel.queue_declare(name.into(), QueueDeclareOptions::durable(), FieldTable::default()).await.unwrap();

    let adoption = broker.transport().declare(&queue).await.unwrap();
    assert!(matches!(&adoption, Adoption::Adopted { difference } if difference.contains(name)), "{adoption:?}");
    let mut consumer = consume(&broker, &queue, 4).await;
    publish(&broker, &queue, "1").await;
    let delay = std::time::Duration::from_millis(100);
    broker.publish_message(Destination::after(queue.clone(), delay), message("2")).await.unwrap();
    for expected in ["1", "2"] {
        let delivery = receive(&mut consumer).await;
        assert_eq!(id(&delivery), expected);
        delivery.ack().await.unwrap();
    }
}

#[tokio::test]
async fn a_queue_shared_with_celery_is_declared_without_arguments() {
    let (broker, queue) = (broker(), Queue::shared_with_celery(queue("celery").name.as_str()).unwrap());
    assert_eq!(broker.transport().declare(&queue).await.unwrap(), Adoption::AsDeclared);
    let (_connection, channel) = stranger().await;
    let name = queue.name.as_str();
    channel.queue_declare(name.into(), QueueDeclareOptions::durable(), FieldTable::default()).await.unwrap();
}

#[tokio::test]
async fn a_classic_queue_counts_deaths_by_itself() {
    let queue = queue("classic").classic();
    publish(&broker(), &queue, "poison").await;
    for expected in 1..=6 {
        let broker = broker();
        let mut consumer = consume(&broker, &queue, 8).await;
        let held = receive(&mut consumer).await;
        assert_eq!((id(&held).as_str(), held.deliveries), ("poison", expected));
        drop((consumer, held));
        broker.close().await;
    }
}

#[tokio::test]
async fn giving_back_five_times_buries_nothing_and_counts_next_to_nothing() {
    for queue in [queue("deploys"), queue("deploys-classic").classic()] {
        for number in 0..40 {
            publish(&broker(), &queue, &number.to_string()).await;
        }
        for _ in 0..5 {
            let broker = broker();
            let mut consumer = consume(&broker, &queue, 16).await;
            // Two are handed out, and given back by their worker; the others are in this process by then, or on their way.
            for _ in 0..2 {
                let delivery = receive(&mut consumer).await;
                let copy = delivery.message.given_back(delivery.deliveries);
                delivery.replace(&Destination::now(queue.clone()), &copy).await.unwrap();
            }
            consumer.stop().await;
            assert!(consumer.next().await.is_none());
            broker.close().await;
        }
        let broker = broker();
        let mut consumer = consume(&broker, &queue, 16).await;
        let (mut seen, mut counted) = (BTreeSet::new(), 0);
        for _ in 0..40 {
            let delivery = receive(&mut consumer).await;
            assert!(seen.insert(id(&delivery)), "{} came twice", id(&delivery));
            counted += delivery.deliveries - 1;
            delivery.ack().await.unwrap();
        }
        // What is under way within the broker in the instant of stopping can't be called back. Returned instead of copied,
        // eighty would have been counted.
        assert!(counted <= 4, "{counted} were counted");
        let dead = Queue::new(queue.name.dead().unwrap().as_str()).unwrap();
        assert_eq!(ready(&broker, &dead).await, 0);
    }
}

#[tokio::test]
async fn acknowledgements_in_any_order_leave_exactly_the_unsettled() {
    use rand::seq::SliceRandom;

    let (broker, queue) = (broker(), queue("acks"));
    for number in 0..200 {
        publish(&broker, &queue, &number.to_string()).await;
    }
    let mut consumer = consume(&broker, &queue, 200).await;
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(receive(&mut consumer).await);
    }
    held.shuffle(&mut rand::rng());
    let unsettled: BTreeSet<String> = held.split_off(120).iter().map(id).collect();
    let acks = held.into_iter().map(|delivery| tokio::spawn(delivery.ack()));
    for ack in futures_util::future::join_all(acks).await {
        ack.unwrap().unwrap();
    }
    drop(consumer);
    broker.close().await;

    let broker = crate::amqp_steps::broker();
    let mut consumer = consume(&broker, &queue, 200).await;
    let mut back = BTreeSet::new();
    for _ in 0..unsettled.len() {
        let delivery = receive(&mut consumer).await;
        back.insert(id(&delivery));
        delivery.ack().await.unwrap();
    }
    assert_eq!(back, unsettled);
    eventually(BOUND, || async { (ready(&broker, &queue).await == 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_killer_among_its_neighbours_is_alone_when_it_kills_again() {
    let queue = queue("poison");
    publish(&broker(), &queue, "killer").await;
    for number in 0..30 {
        publish(&broker(), &queue, &format!("healthy-{number}")).await;
    }
    let mut most = std::collections::BTreeMap::new();
    let mut done = BTreeSet::new();
    // A worker that dies whenever it runs the killer, with all that it holds at that time.
    for _ in 0..20 {
        let broker = broker();
        let mut consumer = consume(&broker, &queue, 8).await;
        loop {
            let delivery = receive(&mut consumer).await;
            most.insert(id(&delivery), delivery.deliveries);
            if id(&delivery) != "killer" {
                done.insert(id(&delivery));
                delivery.ack().await.unwrap();
            } else if delivery.deliveries > 5 {
                // What a worker does: it buries it.
                delivery.ack().await.unwrap();
                done.insert("killer".into());
            } else {
                break;
            }
            if done.len() == 31 {
                break;
            }
        }
        drop(consumer);
        broker.close().await;
        if done.len() == 31 {
            break;
        }
    }
    assert_eq!(done.len(), 31, "{done:?}");
    assert_eq!(most.remove("killer"), Some(6));
    assert!(most.values().all(|deliveries| *deliveries <= 5), "{most:?}");
}

#[tokio::test]
async fn a_priority_beyond_nine_is_delivered_first_and_kept() {
    for queue in [queue("priorities").with_priorities(), queue("priorities-classic").classic().with_priorities()] {
        let broker = broker();
        for (id, priority) in [("none", None), ("low", Some(1)), ("foreign", Some(255)), ("high", Some(8))] {
            let mut message = message(id);
            message.properties.priority = priority;
            broker.publish_message(Destination::now(queue.clone()), message).await.unwrap();
        }
        let mut consumer = consume(&broker, &queue, 1).await;
        let mut order = Vec::new();
        for _ in 0..4 {
            let delivery = receive(&mut consumer).await;
            order.push((id(&delivery), delivery.message.properties.priority));
            delivery.ack().await.unwrap();
        }
        let expected = [("foreign", Some(255)), ("high", Some(8)), ("low", Some(1)), ("none", None)];
        assert_eq!(order, expected.map(|(id, priority)| (id.to_owned(), priority)));
    }
}

#[tokio::test]
async fn headers_too_large_for_a_frame_are_refused_and_the_connection_lives() {
    let (broker, queue) = (broker(), queue("large-headers"));
    let mut large = message("large");
    large.headers.set("large", "x".repeat(200_000));
    let error = broker.publish_message(Destination::now(queue.clone()), large).await.unwrap_err();
    assert!(matches!(error, Error::Encode { .. }), "{error:?}");
    publish(&broker, &queue, "small").await;
}
