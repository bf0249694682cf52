use std::time::Duration;

use super::*;

const WHOLE: &str = r#"
broker_url = "amqp://u:secret@rabbit/"
management_url = "http://rabbit:15672"
publish_timeout = "3s"
max_message_bytes = 1_000_000
shutdown_timeout = "10s"
log_format = "json"

[queues.mail]
kind = "classic"
priorities = true
concurrency = 8
prefetch = 16
soft_time_limit = "20s"
time_limit = "30s"
deadline = "1h"
expires = "2h"
priority = 7
retry = { max_attempts = 5, backoff = "1s..5m", jitter = "equal" }

[queues."reports.daily"]
shared_with_celery = true
"#;

fn fault(text: &str) -> String {
    read(Path::new("celeriac.toml"), text).unwrap_err().to_string()
}

#[test]
fn every_setting_is_read_with_its_line() {
    let settings = read(Path::new("celeriac.toml"), WHOLE).unwrap();
    let timeout = settings.publish_timeout.unwrap();
    assert_eq!(timeout.value, Duration::from_secs(3));
    assert_eq!(timeout.origin.to_string(), "celeriac.toml:4");
    assert_eq!(settings.max_message_bytes.unwrap().value, 1_000_000);
    let mail = &settings.queues["mail"];
    assert_eq!(mail.priority.as_ref().unwrap().value, 7);
    assert_eq!(mail.backoff.as_ref().unwrap().origin.to_string(), "celeriac.toml:19");
    let options = mail.options();
    assert_eq!(options.retry.unwrap().max_attempts, 5);
    assert_eq!(options.retry.unwrap().backoff.cap, Duration::from_secs(300));
    assert_eq!(options.time_limit, Some(Duration::from_secs(30)));
    let queue = mail.queue("mail").unwrap().unwrap();
    assert!(queue.priorities && queue.kind == celeriac_broker::QueueKind::Classic);
    assert!(settings.queues["reports.daily"].queue("reports.daily").unwrap().unwrap().shared_with_celery);
}

#[test]
fn an_unknown_setting_is_named_with_its_line_and_what_was_meant() {
    assert_eq!(
        fault("\nbroker_uri = \"x\""),
        "celeriac.toml:2: there is no setting \"broker_uri\"; did you mean \"broker_url\"?"
    );
    assert_eq!(
        fault("[queues.mail]\nconcurency = 3"),
        "celeriac.toml:2: there is no setting \"concurency\"; did you mean \"concurrency\"?"
    );
    assert_eq!(
        fault("[queues.mail.retry]\nattempts_at_most = 3"),
        "celeriac.toml:2: there is no setting \"attempts_at_most\"; there are max_attempts, backoff, jitter"
    );
}

#[test]
fn values_that_can_not_be_are_refused_by_name() {
    for (text, expected) in [
        ("publish_timeout = 5", "celeriac.toml:1: publish_timeout must be text, not integer"),
        ("publish_timeout = \"0s\"", "celeriac.toml:1: publish_timeout: it must be above 0"),
        ("log_format = \"xml\"", "log_format: \"xml\" is no log format"),
        ("[queues.mail]\nconcurrency = 0", "celeriac.toml:2: concurrency: 0 would run nothing"),
        ("[queues.mail]\nconcurrency = -1", "celeriac.toml:2: concurrency: \"-1\" is no number that fits"),
        ("[queues.mail]\nprefetch = 70000", "celeriac.toml:2: prefetch: \"70000\" is no number that fits"),
        ("[queues.mail]\npriority = 10", "out of range"),
        ("[queues.mail]\nkind = \"stream\"", "\"stream\" is no kind of queue"),
        ("[queues.mail]\nsoft_time_limit = \"9s\"\ntime_limit = \"9s\"", "soft_time_limit must be below time_limit"),
        ("[queues.mail]\nretry = { backoff = \"5m..1s\" }", "is above the cap"),
        ("[queues.mail]\nretry = { backoff = \"5m\" }", "write base and cap"),
        ("[queues.mail]\nretry = { max_attempts = 0 }", "0 would never run the task"),
        ("[queues.\"a*\"]\n", "can't be used"),
        ("queues = 3", "queues must be a table"),
        ("[queues.mail]\npriorities = \"yes\"", "priorities must be true or false, not string"),
        ("broker_url = \n", "celeriac.toml:1: "),
    ] {
        let fault = fault(text);
        assert!(fault.contains(expected), "{text:?} said {fault:?}");
    }
}
