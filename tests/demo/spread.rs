use super::stage::{Report, Stage};
use crate::support::{BOUND, amqp_url};

/// Two workers that wait, a producer, and a collector.
async fn over_processes(stage: Stage) {
    let stage = stage.with_pairs(1000);
    let mut workers = [(); 2].map(|()| stage.demo(&stage.files(), &["--work-only", "--json"]));
    let mut producer = stage.demo(&stage.files(), &["--produce-only", "--json"]);
    let mut collector = stage.demo(&stage.files(), &["--collect-only", "--json"]);

    assert!(producer.wait().await.success(), "{}", producer.output());
    assert!(producer.output().contains("\"published\": 1000"), "{}", producer.output());
    assert!(collector.wait_within(BOUND * 3).await.success(), "{}", collector.output());
    let report = Report::read(&collector);
    assert_eq!((report.number("files"), report.duplicates().len(), report.number("attempts")), (1000, 500, 1000));

    // They end by themselves: there is nothing left to do.
    let mut digests = 0;
    for worker in &mut workers {
        assert!(worker.wait().await.success(), "{}", worker.output());
        digests += Report::read(worker).number("digests");
    }
    assert_eq!(digests, 1000);
    assert_eq!(stage.left_over(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_spreads_over_processes() {
    over_processes(Stage::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_spreads_over_processes_through_rabbitmq() {
    over_processes(Stage::on(amqp_url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_run_can_be_done_one_after_the_other() {
    let stage = Stage::new().with_pairs(50);
    for part in ["--produce-only", "--work-only"] {
        let mut child = stage.demo(&stage.files(), &[part]);
        assert!(child.wait().await.success(), "{part}: {}", child.output());
    }
    assert_eq!(stage.report(&["--collect-only"]).await.duplicates().len(), 25);
}
