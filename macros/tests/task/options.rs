use std::time::Duration;

use celeriac::{Backoff, Jitter, RetryPolicy, Task as _, TaskOptions, task};

const QUEUE: &str = "family";
const FAMILY: TaskOptions =
    TaskOptions::new().queue("other").priority(3).early_ack(true).deadline(Duration::from_secs(3600));

#[task(
    name = "full",
    queue = QUEUE,
    aliases = ["old.full", "older.full"],
    soft_time_limit = "1.5s",
    time_limit = "2m",
    expires = "500ms",
    early_ack = false,
    retry(max_attempts = 7, backoff = "250ms..1h", jitter = decorrelated),
    defaults = FAMILY,
    allow_unknown,
)]
struct Full;

#[task(name = "partial", retry(max_attempts = 2), early_ack, priority = 9)]
struct Partial;

#[task(name = "policy", retry = RetryPolicy::NEVER)]
struct Policy;

#[task(name = "plain")]
struct Plain;

mod renamed {
    pub(super) use celeriac as queueing;
    #[super::task(name = "renamed", crate = self::queueing)]
    pub(super) async fn renamed(x: u8) -> Result<u8, queueing::TaskError> {
        Ok(x)
    }
}

#[test]
fn every_option_reaches_the_task() {
    let options = Full::options();
    assert_eq!((Full::NAME, Full::ALIASES, Full::ALLOW_UNKNOWN), ("full", &["old.full", "older.full"][..], true));
    assert_eq!(options.queue, Some("family"));
    assert_eq!(options.soft_time_limit, Some(Duration::from_millis(1500)));
    assert_eq!(options.time_limit, Some(Duration::from_secs(120)));
    assert_eq!(options.expires, Some(Duration::from_millis(500)));
    let backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(3600));
    assert_eq!(options.retry, Some(RetryPolicy::new(7, backoff, Jitter::Decorrelated).unwrap()));
}

#[test]
fn a_tasks_own_options_win_over_its_familys() {
    let options = Full::options();
    assert_eq!((options.early_ack, options.priority), (Some(false), Some(3)));
    assert_eq!(options.deadline, Some(Duration::from_secs(3600)));
}

#[test]
fn what_is_not_written_is_unset_or_the_default() {
    let partial = Partial::options();
    let retry = partial.retry.unwrap();
    assert_eq!((retry.max_attempts, retry.backoff, retry.jitter), {
        let default = RetryPolicy::DEFAULT;
        (2, default.backoff, default.jitter)
    });
    assert_eq!((partial.early_ack, partial.priority, partial.queue), (Some(true), Some(9), None));
    assert_eq!(Policy::options().retry, Some(RetryPolicy::NEVER));
    let plain = Plain::options();
    assert_eq!((plain.queue, plain.retry, plain.time_limit, plain.early_ack), (None, None, None, None));
    assert!(!Plain::ALLOW_UNKNOWN && Plain::ALIASES.is_empty());
}

#[tokio::test]
async fn a_renamed_crate_is_found_by_its_path() {
    assert_eq!(renamed::Renamed::NAME, "renamed");
    assert_eq!(renamed::renamed(3).await.unwrap(), 3);
}
