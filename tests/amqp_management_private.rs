//! What only the management API knows is known where it is named, and unknown where it is not.

use celeriac_broker::{
    Broker, Queue,
    transport::{Finding, Severity},
};

use crate::{
    amqp_steps::{consume, publish, receive},
    support::{BOUND, PrivateRabbit, eventually},
};

fn finding<'a>(findings: &'a [Finding], subject: &str) -> &'a Finding {
    findings
        .iter()
        .find(|finding| finding.subject.contains(subject))
        .unwrap_or_else(|| panic!("{subject}: {findings:?}"))
}

#[tokio::test]
async fn queues_are_listed_and_counted_where_the_management_api_is_named() {
    let rabbit = PrivateRabbit::start_with_management().await;
    let blind = Broker::builder().url(&rabbit.url()).build().unwrap();
    let seeing = Broker::builder().url(&rabbit.url()).management_url(&rabbit.management_url()).build().unwrap();
    let queue = Queue::new("watched").unwrap();
    for number in 0..3 {
        publish(&blind, &queue, &number.to_string()).await;
    }
    let mut consumer = consume(&blind, &queue, 1).await;
    let held = receive(&mut consumer).await;

    assert_eq!(blind.transport().queues().await.unwrap(), None);
    let info = blind.transport().queue(&queue.name).await.unwrap().unwrap();
    assert_eq!((info.ready, info.running, info.consumers), (Some(2), None, Some(1)));

    // The API's numbers are some seconds old.
    let running = || async {
        let info = seeing.transport().queue(&queue.name).await.unwrap()?;
        (info.running == Some(1)).then_some(info)
    };
    let info = eventually(BOUND, running).await;
    assert_eq!((info.ready, info.kind.as_deref()), (Some(2), Some("quorum")));
    let listed = seeing.transport().queues().await.unwrap().unwrap();
    let names: Vec<&str> = listed.iter().map(|info| info.name.as_str()).collect();
    assert_eq!(names, ["celeriac.undeliverable", "watched", "watched.dead"]);

    let findings = seeing.transport().diagnose(std::slice::from_ref(&queue)).await.unwrap();
    assert_eq!(finding(&findings, "broker").severity, Severity::Fine);
    assert!(finding(&findings, "broker").text.starts_with("RabbitMQ "));
    assert_eq!(finding(&findings, "queue watched.dead").text, "no dead letters");
    assert_eq!(finding(&findings, "delays").severity, Severity::Fine);
    assert_eq!(finding(&findings, "alarms").severity, Severity::Fine);
    assert_eq!(finding(&findings, "stream_queue").severity, Severity::Fine);
    let findings = blind.transport().diagnose(&[queue]).await.unwrap();
    // Since 4.0 the version says it.
    let told =
        if finding(&findings, "broker").text.starts_with("RabbitMQ 3.") { Severity::Unknown } else { Severity::Fine };
    assert_eq!(finding(&findings, "stream_queue").severity, told);
    assert_eq!(finding(&findings, "alarms").severity, Severity::Unknown);

    rabbit.ctl(&["set_vm_memory_high_watermark", "0.00001"]).await;
    let alarm = eventually(BOUND, || async {
        let findings = seeing.transport().diagnose(&[]).await.unwrap();
        let alarm = finding(&findings, "alarms").clone();
        (alarm.severity == Severity::Error).then_some(alarm)
    })
    .await;
    assert!(alarm.text.starts_with("memory on celeriac-"), "{}", alarm.text);
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.4"]).await;
    held.ack().await.unwrap();
}
