//! What a running worker does when its broker dies.

use std::{collections::BTreeSet, time::Duration};

use celeriac::{Broker, Outcome, Queue, Worker};
use nix::sys::signal::Signal;
use tokio::process::Command;

use crate::{
    support::{Child, PrivateRabbit, example},
    work::{Flaky, Work},
};

const QUEUE: &str = "outlives";

fn worker(rabbit: &PrivateRabbit) -> Child {
    let mut command = Command::new(example("fault-worker"));
    command.args([QUEUE, "8", "10"]).env("CELERIAC_BROKER_URL", rabbit.url());
    Child::spawn(command)
}

#[tokio::test]
async fn a_worker_outlives_its_broker_and_every_task_runs() {
    let mut rabbit = PrivateRabbit::start().await;
    let broker = Broker::new(&rabbit.url()).unwrap();
    for n in 0..200 {
        broker.message(Work { n, millis: 50 }).queue(QUEUE).publish().await.unwrap();
    }
    let mut worker = worker(&rabbit);
    let mut ended = BTreeSet::new();
    let number = |line: &str| line.strip_prefix("ended ").and_then(|n| n.parse::<u64>().ok());
    while ended.len() < 40 {
        ended.extend(number(&worker.wait_for_line(|line| number(line).is_some()).await));
    }
    rabbit.kill();
    rabbit.start_again().await;
    while ended.len() < 200 {
        ended
            .extend(number(&worker.wait_for_line_within(Duration::from_secs(60), |line| number(line).is_some()).await));
    }
    let dead = Queue::new(QUEUE).unwrap().name.dead().unwrap();
    let dead = broker.transport().queue(&dead).await.unwrap().and_then(|info| info.ready);
    assert_eq!(dead, Some(0), "a broker's death buries nothing");
    worker.signal(Signal::SIGTERM);
    assert!(worker.wait().await.success(), "{}", worker.output());
}

#[tokio::test]
async fn a_worker_whose_broker_is_away_still_stops_when_asked() {
    let mut rabbit = PrivateRabbit::start().await;
    let mut worker = worker(&rabbit);
    Broker::new(&rabbit.url()).unwrap().message(Work { n: 1, millis: 1 }).queue(QUEUE).publish().await.unwrap();
    worker.wait_for_line(|line| line == "ended 1").await;
    rabbit.kill();
    worker.signal(Signal::SIGTERM);
    assert!(worker.wait_within(Duration::from_secs(20)).await.success(), "{}", worker.output());
}

#[tokio::test]
async fn a_worker_runs_until_idle_also_through_delays_and_retries() {
    let rabbit = PrivateRabbit::start().await;
    let broker = Broker::new(&rabbit.url()).unwrap();
    let delay = Duration::from_secs(1);
    broker.message(Work { n: 1, millis: 1 }).queue(QUEUE).delay(delay).publish().await.unwrap();
    broker.message(Flaky { failures: 5 }).queue(QUEUE).publish().await.unwrap();
    let builder = Worker::builder().broker(broker).register::<Work>().register::<Flaky>();
    let worker = builder.only_queues([QUEUE]).build().unwrap();
    let report = tokio::time::timeout(Duration::from_secs(60), worker.run_until_idle()).await.unwrap().unwrap();
    assert_eq!(report.tally.of(Outcome::Succeeded), 2, "{report}");
    assert_eq!(report.tally.of(Outcome::Retried), 5, "{report}");
}

#[tokio::test]
async fn a_worker_that_starts_before_its_broker_waits_for_it() {
    let mut rabbit = PrivateRabbit::start().await;
    rabbit.kill();
    let mut worker = worker(&rabbit);
    rabbit.start_again().await;
    Broker::new(&rabbit.url()).unwrap().message(Work { n: 2, millis: 1 }).queue(QUEUE).publish().await.unwrap();
    worker.wait_for_line_within(Duration::from_secs(60), |line| line == "ended 2").await;
}
