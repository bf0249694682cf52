//! A consumer outlives the broker, and knows what it lost with it.

use std::time::Duration;

use celeriac_broker::{Broker, Error, Queue};

use crate::{
    amqp_steps::{consume, id, publish, receive},
    support::{BOUND, PrivateRabbit, within},
};

#[tokio::test]
async fn a_consumer_goes_on_after_the_broker_was_killed_and_its_old_deliveries_are_lost() {
    let mut rabbit = PrivateRabbit::start().await;
    let broker = Broker::new(&rabbit.url()).unwrap();
    let queue = Queue::new("outlives").unwrap();
    let mut consumer = consume(&broker, &queue, 2).await;
    publish(&broker, &queue, "held").await;
    let held = receive(&mut consumer).await;
    assert!(consumer.is_connected());

    rabbit.kill();
    let again = within(Duration::from_secs(90), async {
        let (again, ()) = tokio::join!(consumer.next(), rabbit.start_again());
        again.unwrap()
    });
    let again = again.await;
    assert_eq!((id(&again).as_str(), again.deliveries), ("held", 2));
    assert!(consumer.is_connected());
    let lost = held.ack().await;
    assert!(matches!(lost, Err(Error::DeliveryLost { .. })), "{lost:?}");
    again.ack().await.unwrap();

    // Later, a broker that refuses is one that is being looked after: the consumer keeps trying.
    rabbit.ctl(&["change_password", "guest", "other"]).await;
    rabbit.ctl(&["close_all_connections", "maintenance"]).await;
    let mut waiting = Box::pin(consumer.next());
    assert!(tokio::time::timeout(Duration::from_secs(2), &mut waiting).await.is_err());
    rabbit.ctl(&["change_password", "guest", "guest"]).await;
    let publishing = async {
        crate::support::eventually(BOUND, || async { broker.transport().ping().await.ok() }).await;
        publish(&broker, &queue, "after").await;
    };
    let (after, ()) = tokio::join!(within(BOUND, waiting), publishing);
    let after = after.unwrap();
    assert_eq!(id(&after), "after");
    after.ack().await.unwrap();
}
