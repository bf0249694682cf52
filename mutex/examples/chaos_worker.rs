//! A process that takes leases and writes down what it believes: `cargo xtask chaos locks` runs, stops and kills it.
//!
//! Arguments: the store's address, the log, the register's address, its name, a seed, the ttl in milliseconds, and what it does:
//! `work`, `linger` (it holds some leases for seconds), `careless` (it never looks whether its lease is lost) or `watch` (it looks
//! into the store).

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use celeriac_mutex::{Lease, LockKey, Locks, LocksBuilder, Owner};
#[cfg(feature = "redis-sentinel")]
use celeriac_mutex::{RedisOptions, RedisStore};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rustix::time::{ClockId, clock_gettime};

/// The locks: two mutexes, and a semaphore of three.
const LOCKS: [(&str, u32); 3] = [("one", 1), ("two", 1), ("three", 3)];

/// How many of its futures take leases at once.
const FUTURES: usize = 6;

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Worker {
    name: String,
    log: Mutex<File>,
    register: Mutex<(TcpStream, BufReader<TcpStream>)>,
    attempts: AtomicU64,
    careless: bool,
    lingers: bool,
}

fn now() -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let now = clock_gettime(ClockId::Boottime);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

impl Worker {
    /// One write for each line, so that a process that is killed leaves whole ones behind.
    fn say(&self, word: &str, at: u64, rest: &str) {
        let mut log = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = log.write_all(format!("{word} {at} {rest} .\n").as_bytes());
    }

    /// A write to a resource that checks tokens.
    fn write(&self, key: &str, fence: u64) {
        let mut register = self.register.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut answer = String::new();
        let said = writeln!(register.0, "{key} {fence}").and_then(|()| register.1.read_line(&mut answer));
        if !said.is_ok_and(|length| length > 0) {
            // Whoever started this process is gone.
            std::process::exit(0);
        }
    }

    /// Says that it has the lease, where it does.
    fn believes(&self, lease: &Lease, word: &str, rest: &str) -> bool {
        // Whoever is valid after that instant was valid at it.
        let at = now();
        let valid = self.careless || lease.ensure_valid().is_ok();
        if valid {
            self.say(word, at, rest);
        }
        valid
    }

    async fn turn(&self, locks: &Locks, rng: &mut StdRng) -> Result<(), Failure> {
        // A careless one has a mutex nearly always, so that it has one when it is stopped.
        let (locks_used, steps) = if self.careless { (2, 10..20) } else { (LOCKS.len(), 1..6) };
        let (key, leases) = LOCKS[rng.random_range(0..locks_used)];
        let weight = if leases > 1 { rng.random_range(1..=2) } else { 1 };
        let attempt = format!("{}.{}", self.name, self.attempts.fetch_add(1, Ordering::Relaxed));
        let asking = locks.semaphore(key, leases).weight(weight).owner(Owner::worker(attempt.clone()));
        self.say("asked", now(), &format!("{attempt} {key}"));
        let patience = Duration::from_millis(rng.random_range(200..20_000));
        let permit = match asking.acquire_timeout(patience).await {
            Ok(Some(permit)) => permit,
            other => {
                self.say("ended", now(), &attempt);
                return other.map(drop).map_err(Into::into);
            }
        };
        let fence = permit.fencing_token().get();
        let mut holds = self.believes(&permit, "got", &format!("{attempt} {key} {weight} {fence}"));
        let longest = match (self.careless, self.lingers) {
            (true, _) => 60,
            // Until a replica has taken its primary's place.
            (_, true) if rng.random_bool(0.3) => 800,
            _ => 15,
        };
        for _ in 0..rng.random_range(steps) {
            if !holds {
                break;
            }
            self.write(key, fence);
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..longest))).await;
            holds = self.believes(&permit, "held", &attempt);
        }
        self.say("ended", now(), &attempt);
        if rng.random_bool(0.5) {
            permit.release().await?;
        }
        Ok(())
    }

    async fn watch(&self, locks: &Locks) -> Result<(), Failure> {
        self.write("-", 0);
        for (name, _) in LOCKS {
            let key: LockKey = format!("semaphore:{name}").parse()?;
            let at = now();
            if let Some(state) = locks.inspect(&key).await? {
                let mut line = format!("{name} {} {}", state.used, state.leases);
                for waiter in &state.waiters {
                    line.push(' ');
                    line.push_str(&waiter.owner.worker);
                }
                self.say("seen", at, &line);
            }
        }
        Ok(())
    }
}

/// Behind a sentinel a lease counts once a replica has it, which no address says.
#[cfg_attr(
    not(feature = "redis-sentinel"),
    allow(unused_variables, clippy::unnecessary_wraps, reason = "only behind a sentinel is there more to say")
)]
fn at(url: &str, max_ttl: Duration) -> Result<LocksBuilder, Failure> {
    #[cfg(feature = "redis-sentinel")]
    if url.contains("+sentinel://") {
        let options = RedisOptions::default().max_ttl(max_ttl).wait_for_replicas(1, Duration::from_millis(500));
        return Ok(Locks::builder().store(Arc::new(RedisStore::from_url(url, options)?)));
    }
    Ok(Locks::builder().url(url))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, log, register, name, seed, ttl, role] = &arguments[..] else { return Err("seven arguments".into()) };
    let (ttl, seed) = (Duration::from_millis(ttl.parse()?), seed.parse::<u64>()?);
    let stream = TcpStream::connect(register)?;
    let worker = Arc::new(Worker {
        name: name.clone(),
        log: Mutex::new(OpenOptions::new().append(true).create(true).open(log)?),
        register: Mutex::new((stream.try_clone()?, BufReader::new(stream))),
        attempts: AtomicU64::new(0),
        careless: role == "careless",
        lingers: role == "linger",
    });
    let locks = at(url, ttl * 2)?.worker(name).ttl(ttl).max_ttl(ttl * 2).build()?;
    let mut futures = tokio::task::JoinSet::new();
    for number in 0..if role == "watch" { 1 } else { FUTURES as u64 } {
        let (worker, locks, watches) = (worker.clone(), locks.clone(), role == "watch");
        let mut rng = StdRng::seed_from_u64(seed * 64 + number);
        futures.spawn(async move {
            loop {
                let done = if watches { worker.watch(&locks).await } else { worker.turn(&locks, &mut rng).await };
                // A store that is away is what this is about.
                let pause = if done.is_ok() { 3 } else { 50 };
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        });
    }
    while futures.join_next().await.is_some() {}
    Ok(())
}
