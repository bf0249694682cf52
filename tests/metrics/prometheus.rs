//! What Prometheus' own tool says of a scrape.

use std::process::Stdio;

use tokio::{io::AsyncWriteExt, process::Command};

use super::sqlite::{busy, fixture};
use crate::support::promtool;

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_a_scrape() {
    let fixture = fixture();
    let (running, scrape) = busy(&fixture.broker).await;
    let mut command = Command::from(promtool());
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = command.spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(scrape.0.as_bytes()).await.unwrap();
    let output = promtool.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    running.end().await;
}
