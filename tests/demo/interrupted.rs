use nix::sys::signal::Signal;

use super::stage::{Report, Stage};
use crate::support::{Child, amqp_url};

const FILES: usize = 4000;

/// Waits until some files are done and others are not.
async fn under_way(child: &mut Child) {
    child.wait_for_line(|line| line.contains(" of ") && !line.starts_with("0 ")).await;
}

async fn goes_on_where_it_was_interrupted(stage: Stage) {
    let stage = stage.with_pairs(FILES);
    // One file at a time, so that there is something left to do.
    let mut child = stage.demo(&stage.files(), &["--concurrency", "1", "--json"]);
    under_way(&mut child).await;
    child.signal(Signal::SIGINT);
    assert_eq!(child.wait().await.code(), Some(0), "{}", child.output());
    assert!(child.output().contains("the same command goes on from here"), "{}", child.output());
    assert!(!child.output().contains("duplicates"), "{}", child.output());

    let mut again = stage.demo(&stage.files(), &["--json"]);
    assert!(again.wait_within(crate::support::BOUND * 3).await.success(), "{}", again.output());

    let report = Report::read(&again);
    assert_eq!((report.number("files"), report.duplicates().len()), (FILES as u64, FILES / 2));
    // Give-back counts no attempt, and what was done was not done again.
    assert_eq!(report.number("attempts"), FILES as u64);
    assert_eq!(stage.left_over(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_cleanly_at_ctrl_c_and_the_next_one_does_what_is_left() {
    goes_on_where_it_was_interrupted(Stage::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_through_rabbitmq_ends_cleanly_at_ctrl_c_and_the_next_one_does_what_is_left() {
    goes_on_where_it_was_interrupted(Stage::on(amqp_url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_process_was_killed_is_done_to_its_end_by_the_next() {
    let stage = Stage::new().with_pairs(FILES);
    let mut child = stage.demo(&stage.files(), &["--concurrency", "1"]);
    under_way(&mut child).await;
    child.kill().await;
    let report = stage.report(&[]).await;
    assert_eq!((report.number("files"), report.duplicates().len()), (FILES as u64, FILES / 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_begins_anew() {
    let stage = Stage::new().with_pairs(4);
    assert_eq!(stage.report(&[]).await.number("files"), 4);
    stage.write("later", "0");
    assert_eq!(stage.report(&[]).await.number("files"), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_broker_lost_everything_begins_anew() {
    let stage = Stage::new().with_pairs(4);
    let mut producer = stage.demo(&stage.files(), &["--produce-only"]);
    assert!(producer.wait().await.success(), "{}", producer.output());
    for entry in std::fs::read_dir(stage.work()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with("celeriac.db") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    assert_eq!(stage.report(&[]).await.number("files"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_over_one_folder_do_not_mix() {
    let stage = Stage::new().with_pairs(FILES);
    let mut first = stage.demo(&stage.files(), &["--concurrency", "1"]);
    under_way(&mut first).await;
    let mut second = stage.demo(&stage.files(), &[]);
    assert_eq!(second.wait().await.code(), Some(1));
    assert!(second.output().contains("another process is at work on"), "{}", second.output());
    first.signal(Signal::SIGTERM);
    assert!(first.wait().await.success(), "{}", first.output());
}
