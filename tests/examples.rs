//! The examples do what their headers claim.

use tokio::process::Command;

use crate::support::{Child, example};

/// Runs an example to its end in a folder of its own, on the embedded default, and returns what it printed.
async fn run(folder: &tempfile::TempDir, name: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(example(name));
    command.args(arguments).current_dir(folder).env_remove("CELERIAC_BROKER_URL").env_remove("CELERIAC_LOCKS_URL");
    let mut child = Child::spawn(command);
    let status = child.wait().await;
    let output = child.output();
    assert!(status.success(), "{name}: {status}\n{output}");
    output
}

async fn run_alone(name: &str) -> String {
    run(&tempfile::tempdir().unwrap(), name, &[]).await
}

#[track_caller]
fn assert_lines(output: &str, wanted: &[&str]) {
    for line in wanted {
        assert!(output.lines().any(|printed| printed.trim() == *line), "no line {line:?} in:\n{output}");
    }
}

/// What follows `label` in the line that begins with it.
#[track_caller]
fn text_after<'a>(output: &'a str, label: &str) -> &'a str {
    let line = output.lines().find_map(|line| line.trim().strip_prefix(label));
    line.unwrap_or_else(|| panic!("no line begins with {label:?} in:\n{output}")).trim()
}

/// The number that follows `label`.
#[track_caller]
fn number(output: &str, label: &str) -> u64 {
    let text = text_after(output, label);
    let digits = text.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or_else(|_| panic!("{text:?} after {label:?} is no number"))
}

#[track_caller]
fn assert_order(output: &str, lines: &[&str]) {
    let mut rest = output.lines();
    for wanted in lines {
        assert!(
            rest.any(|line| line.trim().starts_with(wanted)),
            "{wanted:?} does not come in this order in:\n{output}"
        );
    }
}

#[tokio::test]
async fn the_quickstart_publishes_three_tasks_and_runs_them() {
    let output = run_alone("quickstart").await;
    assert_lines(&output, &["Hello, Ada! (attempt 1)", "Hello, Barbara! (attempt 1)", "3 attempts, 3 succeeded"]);
}

#[tokio::test]
async fn a_service_answers_503_with_retry_after_while_its_broker_is_down() {
    let output = run(&tempfile::tempdir().unwrap(), "publishing_from_axum", &["--demo"]).await;
    assert_order(
        &output,
        &["202 Accepted", "422", "503 Service Unavailable, Retry-After: 5", "503 Service Unavailable, Retry-After: 5"],
    );
    let answers: Vec<_> = output.lines().filter(|line| line.contains("\"published\"")).collect();
    assert!(
        answers[0].contains("\"published\":\"no\"") && answers[1].contains("\"published\":\"unknown\""),
        "{output}"
    );
    assert!(number(&output, "answered after") < 5, "the publish timeout of 0.5 s bounds the answer:\n{output}");
}

#[tokio::test]
async fn tasks_that_name_a_semaphore_never_hold_more_of_it_than_there_are_leases() {
    let output = run_alone("mutex_and_semaphore").await;
    assert_lines(
        &output,
        &[
            "eu: stock, with the lease of semaphore:dms:eu",
            "a.xml: imported",
            "eu: at most 2 calls at once",
            "us: at most 2 calls at once",
            "9 succeeded, 1 skipped, 0 failed",
        ],
    );
}

#[tokio::test]
async fn a_late_write_is_refused_by_its_token_and_not_without() {
    let output = run_alone("fencing").await;
    assert_order(
        &output,
        &[
            "100: written, but",
            "100: dropped, its lease is lost",
            "200: written, under a higher token",
            "100: the packet arrives",
            "without tokens: 100",
            "with tokens: 200; 1 write refused",
        ],
    );
}

#[tokio::test]
async fn a_slow_queue_delays_no_other_and_a_shared_slot_prefers_the_heavier_queue() {
    let output = run_alone("pools_per_queue").await;
    let seconds = |label| text_after(&output, label).split_whitespace().next().unwrap().parse::<f64>().unwrap();
    let (mails, reports) = (seconds("40 mails done after"), seconds("6 reports done after"));
    assert!(mails < reports, "{output}");
    let early = number(&output, "of the first 12, paid:");
    assert!((7..=11).contains(&early), "{output}");
    assert!(output.contains("; in all: 24"), "{output}");
}

#[tokio::test]
async fn failures_are_retried_or_buried_and_a_dead_letter_is_replayed() {
    let output = run_alone("retries_and_dead_letters").await;
    assert_order(
        &output,
        &[
            "refresh: attempt 1 failed",
            "refresh: attempt 2 after",
            "refresh: attempt 3 after",
            "6 attempts, 2 succeeded, 3 retried, 1 failed",
            "retries.charge {'account': 7, 'cents': 1999}",
            "permanent: the card of account 7 has expired",
            "Account 7 has a new card. Replayed: 1",
            "charge: account 7 has paid 1999",
            "1 attempt, 1 succeeded",
        ],
    );
    assert_lines(&output, &["lookup: attempt 2 after 300 ms succeeded"]);
    assert_eq!(output.matches("has expired, no retry").count(), 1, "{output}");
}

#[tokio::test]
async fn a_soft_limit_lets_a_run_clean_up_and_a_hard_limit_drops_it() {
    let output = run_alone("time_limits").await;
    assert_order(&output, &["crawl: pages 0..", "crawl:", "crawl:"]);
    assert_lines(
        &output,
        &[
            "fetch: closes its connection",
            "exhausted: limits.fetch (soft_limit): the soft time limit has passed",
            "listen: dropped, what it held is released",
            "exhausted: limits.listen (hard_limit): stopped at its hard limit of 500ms",
        ],
    );
    assert!(output.contains("..10, done") && output.contains(", 2 failed"), "{output}");
}

#[tokio::test]
async fn state_middleware_and_a_familys_hooks_see_every_run() {
    let output = run_alone("state_and_middleware").await;
    assert_lines(
        &output,
        &[
            "state: connected to dms.example.org",
            "ticket: dms.index of document 13 failed after 2 attempts: document 13 is locked",
            "4 attempts, 2 succeeded, 1 retried, 1 failed",
        ],
    );
    assert_eq!(output.matches("] dms.").count(), 4, "`before` ran before every attempt:\n{output}");
    assert_eq!(output.matches("succeeded after").count(), 2, "`after` ran after every attempt:\n{output}");
}

#[tokio::test]
async fn tasks_are_tested_without_a_broker_in_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&folder, "testing_without_a_broker", &[]).await;
    assert_eq!(output.lines().filter(|line| line.starts_with("ok: ")).count(), 4, "{output}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "it leaves no file behind");
}

#[tokio::test]
async fn a_producer_and_a_worker_share_no_more_than_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let produced = run(&folder, "contracts_producer", &[]).await;
    assert!(!produced.contains("s3cret") && produced.contains("token: ***"), "{produced}");
    let worked = run(&folder, "contracts_worker", &[]).await;
    assert!(worked.contains("\"Your invoice\" to grace@example.org"), "{worked}");
    assert_lines(&worked, &["2 attempts, 2 succeeded"]);
}

#[tokio::test]
async fn a_file_of_256_mib_is_read_at_flat_memory() {
    let output = run_alone("streaming_a_large_file").await;
    assert!(output.contains("read 256 MiB: 1048576 readings"), "{output}");
    if cfg!(target_os = "linux") {
        let peak = number(&output, "peak memory of this process:");
        assert!(peak < 64, "{output}");
    }
}

/// Needs a Python with the package celery, and RabbitMQ.
mod celery_example {
    use std::path::Path;

    use tokio::process::Command;

    use crate::support::{Child, amqp_url, example, python, unique};

    #[tokio::test]
    async fn a_celeriac_worker_runs_what_a_celery_producer_publishes() {
        let (url, queue) = (amqp_url(), unique("resize"));
        let with_environment = |mut command: Command| {
            command.env("CELERIAC_BROKER_URL", &url).env("RESIZE_QUEUE", &queue);
            command
        };
        let mut worker = Child::spawn(with_environment(Command::new(example("celery_worker"))));
        worker.wait_for_line(|line| line.starts_with("waiting for 3 tasks")).await;

        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/celery_producer.py");
        let mut producer = Command::new(python());
        producer.arg(script);
        let mut producer = Child::spawn(with_environment(producer));
        assert!(producer.wait().await.success(), "{}", producer.output());

        assert!(worker.wait().await.success(), "{}", worker.output());
        let output = worker.output();
        for line in ["a.jpg to 800x600, attempt 1", "b.jpg to 1024x768, attempt 1", "c.jpg to 800x600, attempt 1"] {
            assert!(output.contains(line), "{line}:\n{output}");
        }
        assert!(output.contains("3 succeeded"), "{output}");
    }
}
