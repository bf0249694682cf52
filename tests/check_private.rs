//! Checks, and the exit codes by which monitoring systems go, while the services that are checked fail.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use celeriac::mutex::{Locks, Owner};
use celeriac_broker::{Broker, Queue};
use lapin::{options::QueueDeclareOptions, types::FieldTable};
use serde_json::json;
use tokio::{process::Command, task::spawn_blocking};
use xtask::services::Redis;

use crate::{
    amqp_steps::publish,
    support::{BOUND, PrivateRabbit, Proxy, binary, eventually, within},
};

const OK: i32 = 0;
const WARNING: i32 = 1;
const CRITICAL: i32 = 2;
const UNKNOWN: i32 = 3;

/// `celeriac ..`, in a folder without settings.
async fn celeriac(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary("celeriac"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CELERIAC_")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder.path()).kill_on_drop(true).output().await.unwrap()
}

#[track_caller]
fn line(output: &Output, state: i32, begins: &str) -> String {
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(state), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.starts_with(begins) && told.lines().count() == 1, "{told}");
    told
}

#[tokio::test]
async fn a_queue_of_rabbitmq_is_checked_by_its_depth_and_its_age_is_unknown() {
    let rabbit = PrivateRabbit::start_with_management().await;
    let broker = Broker::new(&rabbit.url()).unwrap();
    for number in 0..3 {
        publish(&broker, &Queue::new("billing").unwrap(), &number.to_string()).await;
    }
    let (url, management) = (rabbit.url(), rabbit.management_url());
    let check = async |arguments: &[&str]| {
        celeriac(&[&["--broker", &url, "--management", &management, "check", "queue", "billing"], arguments].concat())
            .await
    };
    let age = line(&check(&["--warn-age", "60s", "--crit-age", "5m"]).await, UNKNOWN, "QUEUE UNKNOWN - billing: ");
    assert!(age.contains("--warn-depth") && age.contains("'oldest'=U "), "{age}");
    line(&check(&["--crit-depth", "3", "--crit-dead", "0"]).await, OK, "QUEUE OK - billing: 3 ready; 0 dead letters; ");
    line(&check(&["--crit-depth", "2"]).await, CRITICAL, "QUEUE CRITICAL - billing: 3 ready (over 2); ");
    let blind = line(&check(&["--crit-age", "5m", "--warn-depth", "2"]).await, WARNING, "QUEUE WARNING - billing: ");
    assert!(blind.contains("does not tell how old"), "what is known to be bad hides nothing: {blind}");
    line(&check(&["--min-consumers", "1"]).await, CRITICAL, "QUEUE CRITICAL - billing: 0 consumers ");
    // The API's numbers are some seconds old.
    eventually(BOUND, || async {
        let told = line(&check(&["--crit-depth", "9"]).await, OK, "QUEUE OK - billing: ");
        told.contains("'running'=0;;;0;").then_some(())
    })
    .await;

    rabbit.ctl(&["eval", "application:stop(rabbitmq_management), ok."]).await;
    let told = line(&check(&["--crit-depth", "9"]).await, OK, "QUEUE OK - billing: 3 ready; ");
    assert!(!told.contains("running"), "what the management API alone knows is not told as 0: {told}");

    let refused = url.replace("guest:guest", "guest:hunter2");
    let other = celeriac(&["--broker", &refused, "check", "queue", "billing", "--crit-depth", "9"]).await;
    let told = line(&other, UNKNOWN, "QUEUE UNKNOWN - ");
    assert!(told.contains("check user, password") && !told.contains("hunter2"), "{told}");
    broker.close().await;
}

#[tokio::test]
async fn a_queue_without_a_leader_is_named_and_its_numbers_are_unknown_until_it_has_one_again() {
    let rabbit = PrivateRabbit::start_with_management().await;
    let broker = Broker::new(&rabbit.url()).unwrap();
    publish(&broker, &Queue::new("billing").unwrap(), "1").await;
    broker.close().await;
    let (url, management) = (rabbit.url(), rabbit.management_url());
    let ask = async |arguments: &[&str]| {
        within(BOUND, celeriac(&[&["--broker", &url, "--management", &management], arguments].concat())).await
    };
    let json = async |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&ask(&[&["--json"], arguments].concat()).await.stdout).unwrap()
    };
    rabbit.ctl(&["eval", "ok = ra:stop_server(quorum_queues, {'%2F_billing', node()})."]).await;

    let named = |line: &str| line.starts_with("error") && line.contains("queue billing ") && line.contains("no leader");
    // The API of some versions tells what it has seen a moment ago.
    let doctor = eventually(BOUND, || async {
        let doctor = ask(&["doctor"]).await;
        String::from_utf8_lossy(&doctor.stdout).lines().any(named).then_some(doctor)
    })
    .await;
    assert_eq!(doctor.status.code(), Some(3));
    let shown = json(&["queue", "show", "billing"]).await;
    assert_eq!(
        [&shown["ready"], &shown["consumers"], &shown["dead"]],
        [&json!(null), &json!(null), &json!(0)],
        "{shown}"
    );
    let listed = json(&["queue", "list"]).await;
    let listed = listed["queues"].as_array().unwrap();
    assert!(listed.iter().any(|queue| queue["name"] == "billing" && queue["ready"].is_null()), "{listed:?}");
    line(&ask(&["check", "queue", "billing", "--crit-depth", "9"]).await, UNKNOWN, "QUEUE UNKNOWN - billing: ");

    rabbit.ctl(&["eval", "ok = ra:restart_server(quorum_queues, {'%2F_billing', node()})."]).await;
    eventually(BOUND, || async { (json(&["queue", "show", "billing"]).await["ready"] == 1).then_some(()) }).await;
    let doctor = String::from_utf8(ask(&["doctor"]).await.stdout).unwrap();
    assert!(!doctor.contains("no leader"), "{doctor}");
}

#[tokio::test]
async fn doctor_leaves_the_queues_of_others_as_they_are() {
    let rabbit = PrivateRabbit::start_with_management().await;
    let other = lapin::Connection::connect(&rabbit.url(), lapin::ConnectionProperties::default()).await.unwrap();
    let channel = other.create_channel().await.unwrap();
    channel.queue_declare("others".into(), QueueDeclareOptions::durable(), FieldTable::default()).await.unwrap();
    let (url, management) = (rabbit.url(), rabbit.management_url());
    let ours = async |arguments: &[&str]| {
        celeriac(&[&["--broker", &url, "--management", &management], arguments].concat()).await
    };
    assert_eq!(ours(&["queue", "declare", "billing"]).await.status.code(), Some(0));
    let names = async || rabbit.ctl(&["list_queues", "name", "--no-table-headers"]).await;
    let before = names().await;
    // The API lists what it has counted, which takes it some seconds.
    let told = eventually(BOUND, || async {
        let told = String::from_utf8(ours(&["doctor"]).await.stdout).unwrap();
        told.contains("queue billing ").then_some(told)
    })
    .await;
    assert!(!told.contains("others") && !told.contains("undeliverable"), "{told}");
    let sorted = |names: &str| names.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&names().await), sorted(&before));
}

#[tokio::test]
async fn a_broker_that_is_killed_or_deaf_is_critical_within_the_timeout() {
    let mut rabbit = PrivateRabbit::start().await;
    let broker = Broker::new(&rabbit.url()).unwrap();
    publish(&broker, &Queue::new("billing").unwrap(), "1").await;
    broker.close().await;
    let proxy = Proxy::to_port(rabbit.port()).await;
    let through = proxy.url(&rabbit.url());
    let check = async |url: &str| {
        celeriac(&["--broker", url, "check", "queue", "billing", "--crit-depth", "9", "--timeout", "2s"]).await
    };
    line(&check(&through).await, OK, "QUEUE OK - billing: 1 ready; ");
    proxy.black_hole();
    let begun = Instant::now();
    let told = line(&check(&through).await, CRITICAL, "QUEUE CRITICAL - ");
    assert!(told.contains("does not answer within 2s"), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    rabbit.kill();
    let told = line(&check(&rabbit.url()).await, CRITICAL, "QUEUE CRITICAL - can't look at queue billing: ");
    assert!(told.contains("unreachable"), "{told}");
}

#[tokio::test]
async fn a_redis_that_is_killed_or_deaf_is_critical_within_the_timeout() {
    let mut redis = spawn_blocking(|| Redis::start_with(&["--appendonly", "yes"]).unwrap()).await.unwrap();
    let proxy = Proxy::to_port(redis.port()).await;
    let through = format!("redis://{}", proxy.address());
    let locks = Locks::from_url(&redis.url()).unwrap();
    let owner = Owner::worker("feeds-2:4711").task("billing.charge", "4f");
    let held = locks.mutex("invoice").key(42).owner(owner).lock().await.unwrap();
    let check = async |url: &str, arguments: &[&str]| {
        celeriac(&[&["--locks-url", url, "check", "locks", "--timeout", "2s"], arguments].concat()).await
    };
    line(&check(&through, &["--crit-held", "1h"]).await, OK, "LOCKS OK - ");
    let told = line(&check(&through, &["--crit-held", "0s"]).await, CRITICAL, "LOCKS CRITICAL - ");
    assert!(told.contains("billing.charge 4f on feeds-2:4711 holds mutex:invoice:42 for "), "{told}");
    proxy.black_hole();
    let begun = Instant::now();
    line(&check(&through, &[]).await, CRITICAL, "LOCKS CRITICAL - ");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    redis.kill();
    line(&check(&redis.url(), &[]).await, CRITICAL, "LOCKS CRITICAL - ");
    drop(held);
    locks.close().await;
}
