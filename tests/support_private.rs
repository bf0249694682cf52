//! A test may break a RabbitMQ server of its own, and leaves nothing behind.

use std::path::Path;

use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use crate::support::{BOUND, PrivateRabbit, eventually};

async fn channel(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    (connection, channel)
}

#[tokio::test]
async fn a_private_server_keeps_a_confirmed_message_over_sigkill_and_sigterm() {
    let mut rabbit = PrivateRabbit::start().await;
    let url = rabbit.url();

    let (_connection, first) = channel(&url).await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    first.queue_declare("kept".into(), durable, FieldTable::default()).await.unwrap();
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let published =
        first.basic_publish("".into(), "kept".into(), BasicPublishOptions::default(), b"here", persistent).await;
    published.unwrap().await.unwrap();

    rabbit.kill();
    assert_eq!(rabbit.pid(), None);
    rabbit.start_again().await;
    rabbit.stop().await;
    rabbit.start_again().await;

    let listed = rabbit.ctl(&["list_queues", "--no-table-headers", "name", "messages"]).await;
    assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), ["kept", "1"]);
    let (_connection, second) = channel(&url).await;
    let message = second.basic_get("kept".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    assert_eq!(message.delivery.data, b"here");
}

#[tokio::test]
async fn a_private_server_answers_its_management_api_and_is_gone_after_the_test() {
    let rabbit = PrivateRabbit::start_with_management().await;
    let address = rabbit.management_url().rsplit_once('@').unwrap().1.to_owned();
    eventually(BOUND, || async { tokio::net::TcpStream::connect(&address).await.ok() }).await;

    let process = format!("/proc/{}", rabbit.pid().unwrap());
    let was_there = Path::new(&process).exists();
    drop(rabbit);
    assert!(was_there || !Path::new("/proc").exists());
    assert!(!Path::new(&process).exists());
}
