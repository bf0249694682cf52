use std::{collections::HashMap, time::Duration};

use super::*;

/// A folder with a `celeriac.toml`, an environment, and flags.
struct Case {
    folder: tempfile::TempDir,
    environment: HashMap<String, OsString>,
    flags: Settings,
}

impl Case {
    fn new(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(DEFAULT_FILE), file).unwrap();
        Self { folder, environment: HashMap::new(), flags: Settings::default() }
    }

    fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    fn load(self) -> Result<Settings, Error> {
        let file = self.folder.path().join(DEFAULT_FILE);
        Config::load_from(self.flags, Some(&file), &|name| self.environment.get(name).cloned())
            .map(|config| config.settings)
    }
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let file = "broker_url = \"sqlite://file.db\"\nshutdown_timeout = \"1s\"\npublish_timeout = \"1s\"";
    let mut case = Case::new(file).env("CELERIAC_BROKER_URL", "sqlite://env.db").env("CELERIAC_SHUTDOWN_TIMEOUT", "2s");
    case.flags.broker_url = Some(Sourced::flag("--broker", SecretUrls::new("sqlite://flag.db")));
    let settings = case.load().unwrap();
    let url = settings.broker_url.unwrap();
    assert_eq!((url.value.reveal(), url.origin), ("sqlite://flag.db", Origin::Flag("--broker")));
    let timeout = settings.shutdown_timeout.unwrap();
    assert_eq!(timeout.value, Duration::from_secs(2));
    assert_eq!(timeout.origin, Origin::Environment("CELERIAC_SHUTDOWN_TIMEOUT".into()));
    let timeout = settings.publish_timeout.unwrap();
    assert_eq!(timeout.value, Duration::from_secs(1));
    assert_eq!(timeout.origin.kind(), "file");
    assert_eq!(settings.max_message_bytes, None);
}

#[test]
fn the_lock_store_s_address_is_found_like_the_broker_s() {
    let locks = |case: Case| {
        let url = case.load().unwrap().locks_url.unwrap();
        (url.value.reveal().to_owned(), url.origin.to_string())
    };
    let file = "locks_url = \"redis://file\"";
    let mut flag = Case::new(file).env("CELERIAC_LOCKS_URL", "redis://env");
    flag.flags.locks_url = Some(Sourced::flag("--locks-url", SecretUrls::new("redis://flag")));
    assert_eq!(locks(flag), ("redis://flag".into(), "--locks-url".into()));
    let env = Case::new(file).env("CELERIAC_LOCKS_URL", "redis://env");
    assert_eq!(locks(env), ("redis://env".into(), "CELERIAC_LOCKS_URL".into()));
    assert_eq!(locks(Case::new(file)).0, "redis://file");
    let case = Case::new(file);
    let secret = case.folder.path().join("url");
    std::fs::write(&secret, "redis://:hunter2@h\n").unwrap();
    let secret = case.env("CELERIAC_LOCKS_URL_FILE", &secret);
    assert_eq!(locks(secret), ("redis://:hunter2@h".into(), "CELERIAC_LOCKS_URL_FILE".into()));
}

#[test]
fn locks_are_kept_in_the_broker_s_file_unless_somebody_says_where() {
    let shown = |file: &str| {
        let settings = Case::new(file).load().unwrap();
        let row = rows(&settings).into_iter().find(|row| row.name == "locks_url").unwrap();
        (row.value.as_str().map(str::to_owned), row.origin.kind())
    };
    assert_eq!(shown(""), (Some("sqlite://celeriac.db".into()), "default"));
    let file = "broker_url = \"sqlite:///var/q.db?claim_lease=5s\"";
    assert_eq!(shown(file), (Some("sqlite:///var/q.db".into()), "default"));
    assert_eq!(shown("broker_url = \"amqp://rabbit\""), (None, "default"));
    let both = "broker_url = \"amqp://rabbit\"\nlocks_url = \"redis://:hunter2@h/0\"";
    assert_eq!(shown(both), (Some("redis://:***@h/0".into()), "file"));
}

#[test]
fn the_code_s_locks_give_way_to_an_address_that_is_said_after_them() {
    use celeriac_worker::Worker;
    let locks = Locks::from_url("memory://").unwrap();
    let handed_over = Worker::builder().locks_url("redis://code").locks(locks.clone());
    let shown = |settings: Settings| settings.locks_url.map(|url| (url.value.to_string(), url.origin.kind()));
    assert_eq!(shown(of_code(&handed_over.described())), Some(("***".into(), "code")));
    let named = Worker::builder().locks(locks).locks_url("redis://code").described();
    assert!(named.locks.is_none());
    assert_eq!(shown(of_code(&named)), Some(("redis://code".into(), "code")));
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let settings = Case::new("log_format = \"json\"").env("CELERIAC_LOG_FORMAT", "").load().unwrap();
    assert_eq!(settings.log_format.unwrap().value, crate::LogFormat::Json);
}

#[test]
fn a_secret_can_be_kept_in_a_file() {
    let case = Case::new("");
    let secret = case.folder.path().join("url");
    std::fs::write(&secret, "amqp://u:p@h/\n").unwrap();
    let url = case.env("CELERIAC_BROKER_URL_FILE", &secret).load().unwrap().broker_url.unwrap();
    assert_eq!(url.value.reveal(), "amqp://u:p@h/");
    assert_eq!(url.origin.to_string(), "CELERIAC_BROKER_URL_FILE");
}

#[test]
fn a_secret_said_twice_or_nowhere_is_refused() {
    let both = Case::new("").env("CELERIAC_BROKER_URL", "x").env("CELERIAC_BROKER_URL_FILE", "y").load();
    assert!(both.unwrap_err().to_string().contains("both set"));
    let missing = Case::new("").env("CELERIAC_BROKER_URL_FILE", "/nowhere/url").load();
    assert!(missing.unwrap_err().to_string().starts_with("CELERIAC_BROKER_URL_FILE: can't read /nowhere/url"));
}

#[test]
fn faults_in_the_environment_name_the_variable() {
    for (name, value, expected) in [
        ("CELERIAC_SHUTDOWN_TIMEOUT", "25", "CELERIAC_SHUTDOWN_TIMEOUT: \"25\" has no unit"),
        ("CELERIAC_CONCURRENCY", "0", "CELERIAC_CONCURRENCY: 0 would run nothing"),
        ("CELERIAC_LOG_FORMAT", "xml", "CELERIAC_LOG_FORMAT: \"xml\" is no log format"),
    ] {
        let fault = Case::new("").env(name, value).load().unwrap_err();
        assert!(fault.to_string().contains(expected), "{fault}");
        assert!(matches!(fault, Error::Usage(_)));
    }
}

#[test]
fn a_named_file_that_is_missing_is_an_error_and_a_default_one_is_not() {
    let none = |_: &str| None;
    let named = Config::load_from(Settings::default(), Some(Path::new("/nowhere/celeriac.toml")), &none);
    assert!(named.unwrap_err().to_string().contains("/nowhere/celeriac.toml"));
    assert!(Config::load_from(Settings::default(), None, &none).unwrap().file.is_none());
}

#[test]
fn passwords_are_masked_wherever_settings_are_shown() {
    let case = Case::new("management_url = \"http://admin:hunter2@rabbit:15672\"");
    let settings = case.env("CELERIAC_BROKER_URL", "amqp://u:hunter2@a/, amqp://u:hunter2@b/, hunter2").load().unwrap();
    let shown = format!("{:?}", rows(&settings));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("amqp://u:***@a/,amqp://u:***@b/,***"), "{shown}");
    assert!(!format!("{settings:?}").contains("hunter2"), "Debug shows a password");
}

#[test]
fn the_metrics_address_is_found_in_all_four_places_and_needs_a_port() {
    let address = |case: Case| {
        let address = case.load().unwrap().metrics_addr.unwrap();
        (address.value, address.origin.kind())
    };
    let file = "metrics_addr = \"127.0.0.1:1\"";
    let environment = || Case::new(file).env("CELERIAC_METRICS_ADDR", "127.0.0.1:2");
    let mut flag = environment();
    flag.flags.metrics_addr = Some(Sourced::flag("--metrics-addr", "127.0.0.1:3".to_owned()));
    assert_eq!(address(flag), ("127.0.0.1:3".into(), "flag"));
    assert_eq!(address(environment()), ("127.0.0.1:2".into(), "environment"));
    assert_eq!(address(Case::new(file)), ("127.0.0.1:1".into(), "file"));
    let code = of_code(&celeriac_worker::Worker::builder().metrics_addr("127.0.0.1:4").described());
    assert_eq!(code.metrics_addr.unwrap().value, "127.0.0.1:4");
    for text in ["9464", "localhost", ":9464", "localhost:many"] {
        assert!(Case::new("").env("CELERIAC_METRICS_ADDR", text).load().is_err(), "{text}");
    }
}
