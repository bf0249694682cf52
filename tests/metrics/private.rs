use std::time::Duration;

use celeriac::Broker;

use super::stage::{Running, assert_check, builder, end_of, memory_locks};
use crate::support::{PrivateRabbit, Proxy};

#[tokio::test]
async fn a_worker_is_not_ready_while_its_broker_is_down_and_lives_on() {
    let mut rabbit = PrivateRabbit::start().await;
    let broker = Broker::builder().url(&rabbit.url()).publish_timeout(Duration::from_secs(1)).build().unwrap();
    let running = Running::start(builder(broker.clone(), "seen").locks(memory_locks()));
    running.probe("/readyz", 200).await;
    assert_check(&running, 0, "event_loop: ok; consumers: ok; broker: ok; locks: ok; ").await;
    rabbit.kill();
    let answer = running.probe("/readyz", 503).await;
    assert!(answer.contains("locks: ok"), "{answer}");
    // What has come to light first: the consumer, or the message to itself.
    assert_check(&running, 2, "").await;
    assert!(broker.publish(end_of("well")).await.is_err());
    assert_eq!(running.get("/livez").await.0, 200);
    assert_eq!(running.get("/startupz").await.0, 200);
    let scrape = running.until(|scrape| scrape.value(r#"celeriac_worker_ready{check="broker"}"#) == Some(0.0)).await;
    scrape.assert(r#"celeriac_publish_failures_total{reason="unreachable"}"#, 1.0);
    rabbit.start_again().await;
    running.probe("/readyz", 200).await;
    running.until(|scrape| scrape.value(r#"celeriac_reconnects_total{backend="broker"}"#) >= Some(1.0)).await;
    running.end().await;
}

#[tokio::test]
async fn a_worker_that_is_connected_but_deaf_is_not_ready() {
    let rabbit = PrivateRabbit::start().await;
    let proxy = Proxy::to_port(rabbit.port()).await;
    let broker = Broker::new(&proxy.url(&rabbit.url())).unwrap();
    let running = Running::start(builder(broker, "seen").locks(memory_locks()));
    running.probe("/readyz", 200).await;
    // Every connection stays open, and nothing comes through.
    proxy.black_hole();
    let answer = running.probe("/readyz", 503).await;
    assert_eq!(answer, "consumers: ok\nbroker: no answer within 3 s\nlocks: ok\n", "nobody has noticed but the canary");
    proxy.restore();
    running.probe("/readyz", 200).await;
    running.end().await;
}
