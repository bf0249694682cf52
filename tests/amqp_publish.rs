//! What a publish to RabbitMQ tells: each way to fail by its own name, in a bounded time, and never the password.

use std::time::{Duration, Instant};

use celeriac_broker::{
    Broker, Error, Queue,
    transport::{Destination, Subscription},
};
use futures_util::{StreamExt, stream};
use lapin::{
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};

use crate::{
    amqp_steps::{broker, message, queue, stranger},
    support::{BOUND, Proxy, amqp_url, eventually},
};

fn shared_port() -> u16 {
    let url = amqp_url();
    let authority = url.split("//").nth(1).unwrap().split('/').next().unwrap();
    authority.rsplit(':').next().unwrap().parse().unwrap()
}

/// The shared server's address behind a proxy, with other credentials or another virtual host if asked.
fn through(proxy: &Proxy) -> String {
    proxy.url(&amqp_url())
}

async fn publish(broker: &Broker, queue: &Queue, id: &str) -> Result<(), Error> {
    broker.publish_message(Destination::now(queue.clone()), message(id)).await
}

#[tokio::test]
async fn a_wrong_password_is_refused_at_once_and_never_printed() {
    let port = shared_port();
    let broker = Broker::new(&format!("amqp://guest:s3cr3t-typo@127.0.0.1:{port}/%2f")).unwrap();
    let queue = queue("refused");
    let start = Instant::now();
    let failures = [
        publish(&broker, &queue, "1").await.unwrap_err(),
        broker.transport().ping().await.unwrap_err(),
        broker.transport().consume(Subscription::new(queue.clone(), 1)).await.unwrap_err(),
    ];
    for error in failures {
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        let printed = format!("{error} {error:?} {broker:?}");
        assert!(!printed.contains("s3cr3t-typo"), "{printed}");
        assert!(printed.contains("127.0.0.1"), "{printed}");
    }
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_virtual_host_that_is_not_there_is_refused_by_name() {
    let broker = Broker::new(&format!("amqp://guest:guest@127.0.0.1:{}/nowhere", shared_port())).unwrap();
    let error = broker.transport().ping().await.unwrap_err();
    assert!(matches!(&error, Error::Refused { message, .. } if message.contains("nowhere")), "{error:?}");
}

#[tokio::test]
async fn nobody_listening_is_unreachable_at_once() {
    let proxy = Proxy::to_port(1).await;
    proxy.cut();
    let broker = Broker::new(&through(&proxy)).unwrap();
    let start = Instant::now();
    let error = publish(&broker, &queue("nobody"), "1").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(4), "it took {:?}", start.elapsed());
}

#[tokio::test]
async fn a_black_hole_ends_a_publish_at_its_timeout_as_unreachable() {
    let proxy = Proxy::to_port(shared_port()).await;
    proxy.black_hole();
    let timeout = Duration::from_millis(800);
    let broker = Broker::builder().url(&through(&proxy)).publish_timeout(timeout).build().unwrap();
    let start = Instant::now();
    let queue = queue("hole");
    let publishes = (0..100).map(|number| {
        let (broker, queue) = (&broker, &queue);
        async move { publish(broker, queue, &number.to_string()).await }
    });
    let results: Vec<_> = stream::iter(publishes).buffer_unordered(100).collect().await;
    assert!(results.iter().all(|result| matches!(result, Err(Error::Unreachable { .. }))), "{results:?}");
    assert!(start.elapsed() < timeout * 3, "it took {:?}", start.elapsed());
}

#[tokio::test]
async fn a_confirmation_that_does_not_come_is_unconfirmed_and_not_unreachable() {
    let proxy = Proxy::to_port(shared_port()).await;
    let timeout = Duration::from_secs(2);
    let broker = Broker::builder().url(&through(&proxy)).publish_timeout(timeout).build().unwrap();
    let queue = queue("unconfirmed");
    publish(&broker, &queue, "first").await.unwrap();
    proxy.black_hole();
    let start = Instant::now();
    let error = publish(&broker, &queue, "second").await.unwrap_err();
    assert!(matches!(&error, Error::Unconfirmed { id, .. } if id.as_str() == "second"), "{error:?}");
    assert!(start.elapsed() < timeout * 2);

    // The next one does not trust that channel, and gets no other: it was not sent.
    let error = publish(&broker, &queue, "not sent").await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { .. }), "{error:?}");
    proxy.restore();

    // A connection that breaks while a confirmation is awaited says the same as the first, and the next publish has a new connection.
    let broker = Broker::builder().url(&through(&proxy)).publish_timeout(timeout).build().unwrap();
    publish(&broker, &queue, "warm").await.unwrap();
    proxy.black_hole();
    let third = publish(&broker, &queue, "third");
    let cut = async {
        tokio::task::yield_now().await;
        proxy.cut();
    };
    let (third, ()) = tokio::join!(third, cut);
    assert!(matches!(third, Err(Error::Unconfirmed { .. })), "{third:?}");
    proxy.restore();
    publish(&broker, &queue, "fourth").await.unwrap();
}

#[tokio::test]
async fn a_second_address_is_taken_where_the_first_is_dead() {
    let dead = Proxy::to_port(1).await;
    dead.cut();
    let broker = Broker::new(&format!("{},{}", through(&dead), amqp_url())).unwrap();
    publish(&broker, &queue("second-address"), "1").await.unwrap();
}

#[tokio::test]
async fn a_queue_deleted_behind_our_back_is_unroutable_and_then_declared_again() {
    let (broker, other) = (Broker::new(&amqp_url()).unwrap(), Broker::new(&amqp_url()).unwrap());
    let queue = queue("deleted");
    publish(&broker, &queue, "first").await.unwrap();
    other.transport().delete(&queue.name).await.unwrap();
    let error = publish(&broker, &queue, "second").await.unwrap_err();
    assert!(matches!(&error, Error::Unroutable { id, .. } if id.as_str() == "second"), "{error:?}");
    publish(&broker, &queue, "third").await.unwrap();
    assert_eq!(broker.transport().queue(&queue.name).await.unwrap().unwrap().ready, Some(1));
}

#[tokio::test]
async fn a_queue_that_was_deleted_here_is_declared_again_also_after_a_confirmation_that_did_not_come() {
    let proxy = Proxy::to_port(shared_port()).await;
    let broker = Broker::builder().url(&through(&proxy)).publish_timeout(Duration::from_secs(2)).build().unwrap();
    let (deleted, other) = (queue("deleted-here"), queue("silent"));
    for queue in [&deleted, &other] {
        publish(&broker, queue, "warm").await.unwrap();
    }
    proxy.black_hole();
    let error = publish(&broker, &other, "unconfirmed").await.unwrap_err();
    assert!(matches!(error, Error::Unconfirmed { .. }), "{error:?}");
    proxy.restore();
    broker.transport().delete(&deleted.name).await.unwrap();
    publish(&broker, &deleted, "after").await.unwrap();
}

/// A quorum queue says no until it has a leader, which those who find it declared do not wait for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_publishes_of_several_processes_to_a_new_queue_are_all_taken() {
    let processes: Vec<_> = (0..6).map(|_| Broker::new(&amqp_url()).unwrap()).collect();
    for broker in &processes {
        broker.transport().ping().await.unwrap();
    }
    for _ in 0..12 {
        let queue = queue("new");
        let first = processes.iter().cloned().enumerate().map(|(number, broker)| {
            let queue = queue.clone();
            tokio::spawn(async move { publish(&broker, &queue, &number.to_string()).await })
        });
        for published in futures_util::future::join_all(first).await {
            published.unwrap().unwrap();
        }
        let count = processes[0].transport().queue(&queue.name).await.unwrap().unwrap().ready;
        assert_eq!(count, Some(6));
        processes[0].transport().delete(&queue.name).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_queue_at_its_limit_does_not_take_is_said_to_be_rejected() {
    let (broker, queue) = (broker(), queue("full"));
    let (_connection, channel) = stranger().await;
    let mut limit = FieldTable::default();
    limit.insert("x-max-length".into(), 1.into());
    limit.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    channel.queue_declare(queue.name.as_str().into(), QueueDeclareOptions::durable(), limit).await.unwrap();
    publish(&broker, &queue, "first").await.unwrap();
    let error = publish(&broker, &queue, "second").await.unwrap_err();
    assert!(matches!(&error, Error::Nacked { id, .. } if id.as_str() == "second"), "{error:?}");
}

/// The client library hands a returned message to whichever publish is confirmed next.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn among_many_in_flight_none_is_taken_for_published_whose_queue_is_gone() {
    let (broker, other) = (Broker::new(&amqp_url()).unwrap(), Broker::new(&amqp_url()).unwrap());
    let (there, gone) = (queue("there"), queue("gone"));
    for queue in [&there, &gone] {
        publish(&broker, queue, "warm").await.unwrap();
    }
    other.transport().delete(&gone.name).await.unwrap();
    // Published at once, so that the deleted queue is declared again by none of them before all are sent.
    let publishes = (0..400).map(|number| {
        let queue = if number % 2 == 0 { there.clone() } else { gone.clone() };
        let broker = broker.clone();
        tokio::spawn(async move { (number, publish(&broker, &queue, &number.to_string()).await) })
    });
    let mut taken = [0_u64; 2];
    for published in futures_util::future::join_all(publishes).await {
        let (number, result) = published.unwrap();
        match result {
            Ok(()) => taken[number % 2] += 1,
            // A queue process that ends says no to what reaches it last.
            Err(Error::Unroutable { id, .. } | Error::Nacked { id, .. }) => {
                assert_eq!((number % 2, id.as_str()), (1, number.to_string().as_str()));
            }
            Err(error) => panic!("{number}: {error:?}"),
        }
    }
    assert_eq!(taken[0], 200, "what could be routed was taken");
    let ready = async |queue: &Queue| {
        broker.transport().queue(&queue.name).await.unwrap().map_or(0, |info| info.ready.unwrap())
    };
    // Those that were told "published" in error are published again behind their callers' backs.
    eventually(BOUND, || async { (ready(&gone).await >= taken[1]).then_some(()) }).await;
    assert_eq!(ready(&there).await, 201);
}

#[tokio::test]
async fn a_publish_to_a_dead_letter_queue_makes_no_second_one() {
    let broker = Broker::new(&amqp_url()).unwrap();
    let dead = Queue::new(queue("work").name.dead().unwrap().as_str()).unwrap();
    publish(&broker, &dead, "1").await.unwrap();
    let second = dead.name.dead().unwrap();
    assert_eq!(broker.transport().queue(&second).await.unwrap(), None);
}

#[tokio::test]
async fn a_silent_server_is_hung_up_on() {
    use tokio::io::AsyncReadExt;

    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("amqp://guest:guest@{}/%2f", silent.local_addr().unwrap());
    let broker = Broker::builder().url(&url).publish_timeout(Duration::from_millis(500)).build().unwrap();
    let queue = queue("silent");
    let (error, accepted) = tokio::join!(publish(&broker, &queue, "1"), silent.accept());
    assert!(matches!(error, Err(Error::Unreachable { .. })), "{error:?}");
    let mut greeting = Vec::new();
    // To its end: the other side has closed.
    crate::support::within(BOUND, accepted.unwrap().0.read_to_end(&mut greeting)).await.unwrap();
    assert_eq!(greeting, b"AMQP\0\0\x09\x01");
}
