use celeriac::Broker;

use super::stage::{Running, assert_documented, builder, end_of, memory_locks};
use crate::support::{amqp_url, unique};

#[tokio::test]
async fn a_scrape_over_rabbitmq_has_every_metric_but_those_that_it_cannot_tell() {
    let queue = unique("metrics");
    let broker = Broker::new(&amqp_url()).unwrap();
    broker.message(end_of("permanent")).queue(&queue).publish().await.unwrap();
    let running = Running::start(builder(broker.clone(), &queue).locks(memory_locks()));
    let dead = format!(r#"celeriac_dead_lettered_total{{queue="{queue}",reason="permanent"}}"#);
    let ready = format!(r#"celeriac_queue_depth{{queue="{queue}",state="ready"}}"#);
    let scrape = running
        .until(|scrape| {
            scrape.value(&dead) == Some(1.0)
                && scrape.value(&ready).is_some()
                && scrape.value("celeriac_broker_round_trip_seconds").is_some()
        })
        .await;
    assert_documented(&scrape, &["celeriac_queue_oldest_age_seconds"]);
    for (state, known) in [("ready", true), ("dead", true), ("delayed", false)] {
        let depth = format!(r#"celeriac_queue_depth{{queue="{queue}",state="{state}"}}"#);
        assert_eq!(scrape.value(&depth).is_some(), known, "{state}");
    }
    scrape.assert(&format!(r#"celeriac_queue_consumers{{queue="{queue}"}}"#), 1.0);
    scrape.assert(r#"celeriac_reconnects_total{backend="broker"}"#, 0.0);
    assert_eq!(running.probe("/readyz", 200).await, "consumers: ok\nbroker: ok\nlocks: ok\n");
    running.end().await;
    broker.transport().delete(&broker.queue(&queue).unwrap().name).await.unwrap();
}
