//! Servers, stores and questions for tests.

use std::{
    env,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use deadpool_redis::{
    Config, Runtime,
    redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisResult, aio::MultiplexedConnection},
};
use tokio::{sync::mpsc, time::timeout};
use xtask::services::Redis;

use crate::{
    Error, FencingToken, Kind, LockKey, Owner,
    conformance::steps::{BOUND, eventually},
    redis::{RedisOptions, RedisStore, script::Scripts, source::Source},
    store::{Answer, Ask, Granted, Hint, LeaseId, LeaseStore, ProcessId, Queueing, Renewal},
};

/// The server that all tests share. Absent is a failure, never a skipped test.
pub(super) fn shared_url() -> String {
    env::var("CELERIAC_TEST_REDIS_URL").unwrap_or_else(|_| {
        panic!(
            "this test needs a Redis server: run it with `cargo xtask test` (everything but this part: \
             `cargo xtask test --without redis`), or name one in CELERIAC_TEST_REDIS_URL"
        )
    })
}

/// A server of the test's own.
pub(super) fn private(configuration: &[&str]) -> Redis {
    Redis::start_with(configuration).unwrap_or_else(|error| panic!("{error}"))
}

/// Options of a namespace that nobody else uses, which wait for no server to be older.
pub(super) fn options() -> RedisOptions {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    RedisOptions::default().namespace(format!("t-{}-{millis}-{number}", std::process::id())).restart_grace(false)
}

/// A store whose scripts are changed before it is used.
pub(super) fn patched(url: &str, pooled: bool, options: RedisOptions, patches: &[(&str, &str)]) -> RedisStore {
    let mut scripts = Scripts::new(&options);
    for (from, to) in patches {
        scripts.patch(from, to);
    }
    let source = if pooled {
        Source::of_pool(Config::from_url(url).create_pool(Some(Runtime::Tokio1)).unwrap())
    } else {
        Source::of_url(url, &options).unwrap()
    };
    RedisStore::new(source, options, Some(scripts)).unwrap()
}

/// A connection past the store.
#[derive(Clone)]
pub(super) struct Raw(MultiplexedConnection);

impl Raw {
    pub(super) async fn to(url: &str) -> Self {
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(BOUND));
        Self(Client::open(url).unwrap().get_multiplexed_async_connection_with_config(&patient).await.unwrap())
    }

    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> T {
        self.try_run(command).await.unwrap()
    }

    pub(super) async fn try_run<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        command.query_async(&mut self.0.clone()).await
    }

    /// A command of words.
    pub(super) async fn say<T: FromRedisValue>(&self, words: &str) -> T {
        let mut words = words.split_whitespace();
        let mut command = deadpool_redis::redis::cmd(words.next().unwrap());
        words.for_each(|word| {
            command.arg(word);
        });
        self.run(&command).await
    }
}

/// A process that hears.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) id: ProcessId,
    hints: mpsc::Receiver<Hint>,
}

impl Process {
    pub(super) fn open(store: &RedisStore, id: &str) -> Self {
        let (sender, hints) = mpsc::channel(1000);
        let id = ProcessId::from(id);
        store.open(&id, &tokio::runtime::Handle::current(), sender);
        Self { id, hints }
    }

    pub(super) async fn hint(&mut self) -> Option<Hint> {
        timeout(BOUND, self.hints.recv()).await.unwrap_or(None)
    }

    pub(super) fn heard(&mut self) -> Option<Hint> {
        self.hints.try_recv().ok()
    }

    /// A question for a mutex, by the `number`th attempt.
    pub(super) fn ask(&self, name: &str, number: u64, queueing: Queueing) -> Ask {
        Ask {
            key: LockKey::new(Kind::Mutex, name),
            lease: LeaseId::numbered(&self.id, number),
            process: self.id.clone(),
            leases: 1,
            weight: 1,
            ttl: Duration::from_secs(10),
            queueing,
            place: None,
            fair: true,
            owner: Owner::worker("tester").task("billing.charge", format!("id {number}")),
        }
    }
}

/// Asks until a server answers.
pub(super) async fn answered(store: &RedisStore, ask: &Ask) -> Answer {
    eventually(|| async { past_trouble(store.acquire(ask).await) }).await
}

/// The answer, unless the question may be asked again.
pub(super) fn past_trouble<T>(answer: Result<T, Error>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            assert!(error.is_transient(), "{error}");
            None
        }
    }
}

/// Whether what was released was there.
pub(super) async fn released(store: &RedisStore, ask: &Ask) -> bool {
    store.release(&ask.key, &ask.lease, &ask.process).await.unwrap().found
}

pub(super) fn renewal(ask: &Ask, fence: Option<FencingToken>, reassert: bool) -> Renewal {
    Renewal { ask: std::sync::Arc::new(ask.clone()), fence, reassert }
}

#[track_caller]
pub(super) fn granted(answer: &Answer) -> Granted {
    match answer {
        Answer::Granted(granted) => *granted,
        other => panic!("not granted, but {other:?}"),
    }
}
