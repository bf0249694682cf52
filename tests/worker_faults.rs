//! What a worker's death, a signal or a bad message does to tasks, over SQLite and over RabbitMQ.

use std::{collections::BTreeSet, time::Duration};

use celeriac::{
    Broker, Message, Properties,
    message::names,
    transport::{Destination, Verdict},
};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    support::{BOUND, Child, amqp_url, eventually, example, unique},
    work::{Flaky, Poison, Work},
};

/// One broker, and the queue of one test in it.
struct Fixture {
    url: String,
    broker: Broker,
    queue: String,
    _folder: Option<TempDir>,
}

impl Fixture {
    fn amqp() -> Self {
        Self::new(amqp_url(), None)
    }

    fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        // A dead worker's claims come back after a second instead of thirty.
        let url = format!("sqlite://{}/tasks.db?claim_lease=1s", folder.path().display());
        Self::new(url, Some(folder))
    }

    fn new(url: String, folder: Option<TempDir>) -> Self {
        Self { broker: Broker::new(&url).unwrap(), url, queue: unique("faults"), _folder: folder }
    }

    fn worker(&self, concurrency: u16, shutdown_seconds: u64) -> Child {
        let mut command = Command::new(example("fault-worker"));
        command.args([self.queue.clone(), concurrency.to_string(), shutdown_seconds.to_string()]);
        command.env("CELERIAC_BROKER_URL", &self.url);
        Child::spawn(command)
    }

    async fn publish(&self, tasks: impl IntoIterator<Item = u64>, millis: u64) {
        for n in tasks {
            self.broker.message(Work { n, millis }).queue(&self.queue).publish().await.unwrap();
        }
    }

    /// The dead letters as they lie there.
    async fn dead(&self) -> Vec<Message> {
        let dead = self.broker.queue(format!("{}.dead", self.queue)).unwrap();
        let mut letters = Vec::new();
        let transport = self.broker.transport();
        transport
            .sweep(&dead.name, 1000, &mut |message| {
                letters.push(message.clone());
                Verdict::Keep
            })
            .await
            .unwrap();
        letters
    }

    /// What is ready; what the broker does not tell counts as nothing.
    async fn ready(&self) -> u64 {
        let queue = self.broker.queue(&self.queue).unwrap();
        self.broker.transport().queue(&queue.name).await.unwrap().and_then(|info| info.ready).unwrap_or(0)
    }
}

/// The numbers of the lines `<verb> <n>..`.
fn numbers(output: &str, verb: &str) -> BTreeSet<u64> {
    let numbers = output.lines().filter_map(|line| line.strip_prefix(verb)?.split_whitespace().next()?.parse().ok());
    numbers.collect()
}

async fn a_killed_worker_loses_nothing(fixture: Fixture) {
    fixture.publish(0..40, 100).await;
    let mut first = fixture.worker(8, 25);
    first.wait_for_line(|line| line.starts_with("ended")).await;
    first.kill().await;
    let mut ended = numbers(&first.output(), "ended");
    assert!(ended.len() < 40, "it was killed while it worked");

    let mut second = fixture.worker(8, 25);
    while ended.len() < 40 {
        let line = second.wait_for_line(|line| line.starts_with("ended")).await;
        ended.extend(numbers(&line, "ended"));
    }
    assert_eq!(fixture.dead().await.len(), 0);
}

#[tokio::test]
async fn a_worker_killed_with_sigkill_loses_nothing_on_sqlite() {
    a_killed_worker_loses_nothing(Fixture::sqlite()).await;
}

#[tokio::test]
async fn a_worker_killed_with_sigkill_loses_nothing_on_amqp() {
    a_killed_worker_loses_nothing(Fixture::amqp()).await;
}

async fn a_poison_task_buries_itself_alone(fixture: Fixture) {
    fixture.publish(0..50, 5).await;
    fixture.broker.message(Poison {}).queue(&fixture.queue).publish().await.unwrap();
    fixture.publish(50..100, 5).await;

    let mut ended = BTreeSet::new();
    // As a supervisor does: a worker that has died is started again.
    for _ in 0..5 {
        let mut worker = fixture.worker(32, 1);
        worker.wait_for_line(|line| line == "poisoned").await;
        worker.wait().await;
        ended.extend(numbers(&worker.output(), "ended"));
    }
    let mut last = fixture.worker(32, 1);
    eventually(BOUND, || async { (fixture.dead().await.len() == 1).then_some(()) }).await;
    eventually(BOUND, || async {
        let together = ended.union(&numbers(&last.output(), "ended")).count();
        (together == 100).then_some(())
    })
    .await;
    last.kill().await;
    assert!(!last.output().contains("poisoned"), "max_deliveries is 5");
    let dead = fixture.dead().await;
    assert_eq!(dead.len(), 1, "{:?}", dead.iter().map(Message::task).collect::<Vec<_>>());
    assert_eq!(dead[0].task(), Some("faults.poison"));
    assert_eq!(dead[0].headers.text(names::DEAD_REASON), Some("poison"));
}

#[tokio::test]
async fn one_poison_task_among_a_hundred_healthy_ones_is_buried_alone_on_sqlite() {
    a_poison_task_buries_itself_alone(Fixture::sqlite()).await;
}

#[tokio::test]
async fn one_poison_task_among_a_hundred_healthy_ones_is_buried_alone_on_amqp() {
    a_poison_task_buries_itself_alone(Fixture::amqp()).await;
}

async fn sigterm_finishes_what_runs_and_leaves_the_rest(fixture: Fixture) {
    fixture.publish(0..20, 500).await;
    let mut worker = fixture.worker(4, 25);
    worker.wait_for_line(|line| line.starts_with("began")).await;
    worker.signal(Signal::SIGTERM);
    let status = worker.wait().await;
    assert!(status.success(), "{}", worker.output());
    let output = worker.output();
    assert_eq!(numbers(&output, "began"), numbers(&output, "ended"), "what had begun was finished: {output}");
    assert!(output.contains("0 given back, 0 stuck"), "a drain report is printed: {output}");
    let left = 20 - numbers(&output, "ended").len() as u64;
    eventually(BOUND, || async { (fixture.ready().await == left).then_some(()) }).await;
}

#[tokio::test]
async fn sigterm_finishes_what_runs_and_leaves_the_rest_on_sqlite() {
    sigterm_finishes_what_runs_and_leaves_the_rest(Fixture::sqlite()).await;
}

#[tokio::test]
async fn sigterm_finishes_what_runs_and_leaves_the_rest_on_amqp() {
    sigterm_finishes_what_runs_and_leaves_the_rest(Fixture::amqp()).await;
}

async fn five_deploys_in_a_row_bury_nothing(fixture: Fixture) {
    fixture.publish(0..6, 60_000).await;
    for _ in 0..5 {
        let mut worker = fixture.worker(4, 20);
        for _ in 0..4 {
            let began = worker.wait_for_line(|line| line.starts_with("began")).await;
            assert!(began.ends_with("attempt 1"), "no attempt is counted: {began}");
        }
        worker.signal(Signal::SIGTERM);
        worker.signal(Signal::SIGINT);
        let status = worker.wait_within(Duration::from_secs(10)).await;
        assert!(status.success(), "a second signal gives back at once: {}", worker.output());
        assert!(worker.output().contains("4 given back"), "{}", worker.output());
        eventually(BOUND, || async { (fixture.ready().await == 6).then_some(()) }).await;
    }
    // Nobody died with any of them.
    let mut worker = fixture.worker(6, 20);
    for _ in 0..6 {
        worker.wait_for_line(|line| line.starts_with("began")).await;
    }
    assert_eq!(fixture.dead().await.len(), 0);
}

#[tokio::test]
async fn five_deploys_in_a_row_bury_nothing_on_sqlite() {
    five_deploys_in_a_row_bury_nothing(Fixture::sqlite()).await;
}

#[tokio::test]
async fn five_deploys_in_a_row_bury_nothing_on_amqp() {
    five_deploys_in_a_row_bury_nothing(Fixture::amqp()).await;
}

/// RabbitMQ drops a message that seems to run in a circle; a copy must not carry the original's way with it.
#[tokio::test]
async fn a_task_retried_thirty_times_is_not_dropped_as_a_circle() {
    let fixture = Fixture::amqp();
    fixture.broker.message(Flaky { failures: 30 }).queue(&fixture.queue).publish().await.unwrap();
    let mut worker = fixture.worker(1, 1);
    worker.wait_for_line(|line| line == "ended after 30 failures").await;
}

async fn bad_messages_are_buried_with_their_bytes_and_the_worker_goes_on(fixture: Fixture) {
    let queue = fixture.broker.queue(&fixture.queue).unwrap();
    let good = fixture.broker.message(Work { n: 1, millis: 0 }).queue(&fixture.queue).build().unwrap().1;
    let bomb = vec![0_u8; 1024 * 1024];
    let json = |kind: &'static str| {
        let mut properties = Properties::default();
        properties.content_type = Some(kind.into());
        properties
    };
    let mut zipped = good.headers.clone();
    zipped.set(names::COMPRESSION, "application/x-gzip");
    let mut unknown = good.headers.clone();
    unknown.set(names::TASK, "nobody.knows");
    let bad = [
        ("undecodable", Message::new(good.properties.clone(), good.headers.clone(), "{not json")),
        ("undecodable", Message::new(good.properties.clone(), good.headers.clone(), vec![0xff, 0xfe, 0x00])),
        ("undecodable", Message::new(json("application/x-python-serialize"), good.headers.clone(), vec![0x80, 0x04])),
        ("undecodable", Message::new(json("text/plain"), good.headers.clone(), "hello")),
        ("undecodable", Message::new(good.properties.clone(), zipped, bomb)),
        ("undecodable", Message::new(Properties::default(), celeriac::Headers::default(), "")),
        ("unknown_task", Message::new(good.properties.clone(), unknown, good.body.clone())),
        ("bad_arguments", Message::new(good.properties.clone(), good.headers.clone(), r#"[[], {"n": 1}, {}]"#)),
    ];
    for (_, message) in &bad {
        fixture.broker.publish_message(Destination::now(queue.clone()), message.clone()).await.unwrap();
    }
    fixture.publish([7], 0).await;

    let mut worker = fixture.worker(1, 1);
    worker.wait_for_line(|line| line == "ended 7").await;
    let dead = eventually(BOUND, || async {
        let dead = fixture.dead().await;
        (dead.len() == bad.len()).then_some(dead)
    })
    .await;
    for (reason, message) in &bad {
        // Some have no priority, and which of them runs first differs between versions of RabbitMQ.
        let dead = dead.iter().find(|dead| dead.body == message.body).expect("the original bytes are kept");
        assert_eq!(dead.headers.text(names::DEAD_REASON), Some(*reason));
        assert_eq!(dead.properties.content_type, message.properties.content_type);
        assert!(!dead.headers.text(names::DEAD_ERROR).unwrap().is_empty());
    }
}

#[tokio::test]
async fn bad_messages_are_buried_with_their_bytes_and_the_worker_goes_on_on_sqlite() {
    bad_messages_are_buried_with_their_bytes_and_the_worker_goes_on(Fixture::sqlite()).await;
}

#[tokio::test]
async fn bad_messages_are_buried_with_their_bytes_and_the_worker_goes_on_on_amqp() {
    bad_messages_are_buried_with_their_bytes_and_the_worker_goes_on(Fixture::amqp()).await;
}
