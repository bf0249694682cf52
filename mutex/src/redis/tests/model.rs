//! The scripts against the rules: the same questions to both, by the same clock, and everything compared after each.

use std::{collections::HashMap, time::Duration};

use deadpool_redis::redis::cmd;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{
    dump,
    support::{Process, Raw, options, patched, renewal, shared_url},
};
use crate::{
    Error, FencingToken, Kind, LockKey, Owner, Rate,
    redis::RedisStore,
    rules::{self, Lock, MemoryLine, Micros, News, World, micros},
    store::{Answer, Ask, Hint, LeaseId, LeaseStore, MAX_BYPASS, ProcessId, Queueing, Spend},
};

/// The scripts by a clock and a grace that the test sets.
const INJECTED: [(&str, &str); 6] = [
    (
        "local time = redis.call('TIME')\nlocal now = time[1] * 1000000 + time[2]",
        "local now = tonumber(redis.call('GET', NAMESPACE .. 'now'))",
    ),
    ("grace = tonumber(ARGV[8] or 0)", INJECTED_GRACE),
    ("grace = tonumber(ARGV[2] or 0)", INJECTED_GRACE),
    ("grace = tonumber(ARGV[2])", INJECTED_GRACE),
    ("grace = tonumber(ARGV[1])", INJECTED_GRACE),
    ("local back = tonumber(ARGV[8] or 0)", "local back = tonumber(redis.call('GET', NAMESPACE .. 'grace'))"),
];
const INJECTED_GRACE: &str = "grace = tonumber(redis.call('GET', NAMESPACE .. 'grace'))";

/// The world of the model.
#[derive(Debug)]
struct Modelled {
    now: Micros,
    grace: Micros,
    deaf: Vec<ProcessId>,
    /// Which lock is asked for.
    key: LockKey,
    told: Vec<(ProcessId, Hint)>,
}

impl World for Modelled {
    fn now(&self) -> Micros {
        self.now
    }
    fn grace_until(&self) -> Option<Micros> {
        Some(self.grace).filter(|grace| *grace != 0)
    }
    fn remembers_until(&self) -> Micros {
        self.grace.saturating_sub(micros(options().max_ttl))
    }
    fn tell(&mut self, process: &ProcessId, news: News) -> bool {
        let hears = !self.deaf.contains(process);
        if hears {
            self.told.push((process.clone(), news.about(&self.key)));
        }
        hears
    }
}

/// Both of them.
struct Pair {
    rng: StdRng,
    store: RedisStore,
    raw: Raw,
    processes: Vec<Process>,
    world: Modelled,
    locks: HashMap<LockKey, (Lock, MemoryLine)>,
    asks: HashMap<LeaseId, Ask>,
    /// The last token that each lease was granted.
    fences: HashMap<LeaseId, FencingToken>,
}

/// A question for a mutex.
fn plain(key: &LockKey, lease: &str, process: &str, queueing: Queueing) -> Ask {
    Ask {
        key: key.clone(),
        lease: LeaseId::from(lease),
        process: ProcessId::from(process),
        leases: 1,
        weight: 1,
        ttl: Duration::from_secs(15),
        queueing,
        place: None,
        fair: true,
        owner: Owner::worker("w"),
    }
}

fn moment(duration: Duration) -> Duration {
    Duration::from_micros(micros(duration))
}

/// As precise as microseconds are.
fn rounded(answer: Answer) -> Answer {
    match answer {
        Answer::Busy { holder, retry_in, waiting } => Answer::Busy { holder, retry_in: moment(retry_in), waiting },
        Answer::Parked { position, delay, holder } => Answer::Parked { position, delay: moment(delay), holder },
        other => other,
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, rules: &T, scripts: &T) -> Result<(), String> {
    if rules == scripts { Ok(()) } else { Err(format!("{what}:\n rules {rules:#?}\n scripts {scripts:#?}")) }
}

impl Pair {
    async fn new(seed: u64, pooled: bool, patches: &[(&str, &str)]) -> Self {
        let (url, options) = (shared_url(), options());
        let patches: Vec<_> = INJECTED.iter().chain(patches).copied().collect();
        let store = patched(&url, pooled, options, &patches);
        let processes: Vec<_> = ["a", "b", "c"].iter().map(|id| Process::open(&store, id)).collect();
        for process in &processes {
            store.sessions.heard(&process.id, tokio::time::Instant::now() + crate::conformance::steps::BOUND).await;
        }
        // A list takes any hint; only a channel knows that nobody listens.
        let deaf = if pooled { vec![] } else { vec![ProcessId::from("d")] };
        let world = Modelled {
            now: 1_700_000_000_000_000,
            grace: 0,
            deaf,
            key: LockKey::new(Kind::Mutex, "m"),
            told: Vec::new(),
        };
        let raw = Raw::to(&url).await;
        Self {
            rng: StdRng::seed_from_u64(seed),
            store,
            raw,
            processes,
            world,
            locks: HashMap::new(),
            asks: HashMap::new(),
            fences: HashMap::new(),
        }
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of.choose(&mut self.rng).unwrap().clone()
    }

    fn key(&mut self) -> LockKey {
        let keys = [
            LockKey::new(Kind::Mutex, "m"),
            LockKey::new(Kind::Semaphore, "s"),
            LockKey::new(Kind::Semaphore, "s").part("two"),
        ];
        self.pick(&keys)
    }

    fn lease(&mut self) -> LeaseId {
        LeaseId::from(format!("{:x}", self.rng.random_range(0..14)))
    }

    async fn steps(&mut self, steps: usize) -> Result<(), String> {
        for step in 0..steps {
            let advance = self.pick(&[0, 0, 1, 1000, 20_000, 20_000, 100_000, 600_000, 2_000_000, 7_000_000]);
            let advance = if self.rng.random_ratio(1, 100) { 700_000_000 } else { advance };
            self.world.now += advance;
            if self.rng.random_ratio(1, 50) {
                self.world.now -= self.pick(&[1, 300_000]);
            }
            self.world.grace = if self.rng.random_ratio(1, 20) { self.world.now + 400_000 } else { self.world.grace };
            self.set_clock().await;
            let done = match self.rng.random_range(0..100) {
                0..45 => self.acquire().await,
                45..65 => self.release().await,
                65..90 => self.renew().await,
                90..93 => self.resize().await,
                93..96 => self.revoke().await,
                96..98 => self.force_release().await,
                _ => self.forget().await,
            };
            let (what, key) = done.map_err(|difference| format!("step {step}: {difference}"))?;
            self.compare(&key).await.map_err(|difference| format!("step {step}, after {what}: {difference}"))?;
        }
        Ok(())
    }

    /// One place is parked for seconds, and others pass it over until the lock is kept for it.
    async fn pass_over(&mut self) -> Result<(), String> {
        let key = LockKey::new(Kind::Mutex, "busy");
        let ask = |lease: &str, queueing| plain(&key, lease, "a", queueing);
        self.world.grace = 0;
        for (number, hold) in [3_000_000, 3_000_000].into_iter().enumerate() {
            self.set_clock().await;
            let holder = format!("first-{number}");
            self.ask(ask(&holder, Queueing::No)).await?;
            if number == 1 {
                self.ask(ask("parked", Queueing::Park { jitter: 1.0 })).await?;
            }
            self.world.now += hold;
            self.set_clock().await;
            self.let_go(LeaseId::from(holder), key.clone(), "a").await?;
            self.compare(&key).await?;
        }
        for number in 0..40 {
            self.set_clock().await;
            let queueing = if number == 18 { Queueing::Wait } else { Queueing::No };
            let lease = format!("later-{number}");
            self.ask(ask(&lease, queueing)).await?;
            self.compare(&key).await?;
            if number != 18 {
                self.world.now += if number < 20 { 1000 } else { 100_000 };
                self.set_clock().await;
                self.let_go(LeaseId::from(lease), key.clone(), "a").await?;
                self.compare(&key).await?;
            }
        }
        same("how often the place was passed over", &MAX_BYPASS, &self.locks[&key].0.passers.len())?;
        let back = Ask { place: Some(LeaseId::from("parked")), ..ask("back", Queueing::Park { jitter: 1.0 }) };
        self.ask(back).await?;
        self.compare(&key).await
    }

    /// A line of two processes, in which each hands over to its own and to the other's, before its own and before the other's.
    async fn hand_over(&mut self) -> Result<(), String> {
        let key = LockKey::new(Kind::Mutex, "line");
        self.world.grace = 0;
        self.set_clock().await;
        let line: Vec<_> = "aaabbabbaba".split("").filter(|process| !process.is_empty()).enumerate().collect();
        let lease = |number: usize| format!("place-{number}");
        for (number, process) in &line {
            self.ask(plain(&key, &lease(*number), process, Queueing::Wait)).await?;
        }
        for (number, process) in line {
            self.let_go(LeaseId::from(lease(number)), key.clone(), process).await?;
            self.compare(&key).await?;
        }
        Ok(())
    }

    async fn set_clock(&self) {
        let name = |name: &str| format!("{}:{name}", self.store.options.namespace);
        let mut set = cmd("MSET");
        set.arg(name("now")).arg(self.world.now).arg(name("grace")).arg(self.world.grace);
        let () = self.raw.run(&set).await;
    }

    async fn acquire(&mut self) -> Result<(String, LockKey), String> {
        let lease = self.lease();
        let leases = self.pick(&[1, 2, 3]);
        let key = self.key();
        let mutex = key.kind() == Kind::Mutex;
        let ask = Ask {
            lease: lease.clone(),
            process: ProcessId::from(self.pick(&["a", "b", "c", "d"])),
            leases: if mutex { 1 } else { leases },
            weight: if mutex { 1 } else { self.rng.random_range(1..=leases) },
            ttl: Duration::from_millis(self.pick(&[100, 300, 1000, 15_000])),
            queueing: {
                let jitter = self.pick(&[0.625, 0.75, 1.0]);
                self.pick(&[Queueing::No, Queueing::Wait, Queueing::Wait, Queueing::Park { jitter }])
            },
            place: if self.rng.random_ratio(1, 3) { Some(self.lease()) } else { None },
            fair: !self.rng.random_ratio(1, 8),
            owner: Owner::worker("w").task("t", lease.as_str()),
            key: key.clone(),
        };
        // An attempt is one lock's.
        let ask = match self.asks.get(&lease) {
            Some(before) if self.rng.random_ratio(2, 3) => Ask { queueing: ask.queueing, ..before.clone() },
            Some(before) => Ask { key: before.key.clone(), leases: before.leases, weight: before.weight, ..ask },
            None => ask,
        };
        self.ask(ask).await
    }

    async fn ask(&mut self, ask: Ask) -> Result<(String, LockKey), String> {
        let (lease, key) = (ask.lease.clone(), ask.key.clone());
        self.asks.insert(lease.clone(), ask.clone());
        self.world.key = key.clone();
        let (lock, line) = self.locks.entry(key.clone()).or_default();
        if lock.leases.is_some_and(|leases| ask.weight > leases) {
            let refused = self.store.acquire(&ask).await;
            same("too heavy", &true, &matches!(refused, Err(Error::Invalid(_))))?;
            return Ok(("too heavy".into(), key));
        }
        let expected = rounded(lock.acquire(line, &mut self.world, &ask).unwrap());
        let actual = self.store.acquire(&ask).await.map_err(|error| error.to_string())?;
        same(&format!("acquire {ask:?}"), &expected, &actual)?;
        if let Answer::Granted(granted) = actual {
            self.fences.insert(lease, granted.fence);
        }
        Ok((format!("{ask:?}"), key))
    }

    async fn release(&mut self) -> Result<(String, LockKey), String> {
        let (lease, key) = self.known();
        let here = self.pick(&["a", "b", "c", "d"]);
        self.let_go(lease, key, here).await
    }

    async fn let_go(&mut self, lease: LeaseId, key: LockKey, here: &str) -> Result<(String, LockKey), String> {
        self.world.key = key.clone();
        let (lock, line) = self.locks.entry(key.clone()).or_default();
        let process = ProcessId::from(here);
        let expected = lock.release(line, &mut self.world, &lease, Some(&process)).unwrap();
        let actual = self.store.release(&key, &lease, &process).await.map_err(|error| error.to_string())?;
        same(&format!("release {lease} of {key} by {here}"), &expected, &actual)?;
        for handed in actual.handed {
            self.fences.insert(handed.lease, handed.granted.fence);
        }
        Ok((format!("release {lease} by {here}"), key))
    }

    fn known(&mut self) -> (LeaseId, LockKey) {
        let lease = self.lease();
        let key = self.asks.get(&lease).map(|ask| ask.key.clone());
        (lease, key.unwrap_or_else(|| LockKey::new(Kind::Mutex, "m")))
    }

    async fn renew(&mut self) -> Result<(String, LockKey), String> {
        let mut batch = Vec::new();
        for _ in 0..self.rng.random_range(1..4) {
            let (lease, _) = self.known();
            if let Some(ask) = self.asks.get(&lease) {
                let fence = self.fences.get(&lease).copied().filter(|_| self.rng.random_ratio(4, 5));
                batch.push(renewal(ask, fence, self.rng.random_ratio(3, 4)));
            }
        }
        // The scripts take those of one lock side by side.
        let mut order: Vec<_> = batch.iter().collect();
        order.sort_by(|a, b| a.ask.key.cmp(&b.ask.key));
        let mut expected = HashMap::new();
        for renewal in order {
            self.world.key = renewal.ask.key.clone();
            let (lock, line) = self.locks.entry(renewal.ask.key.clone()).or_default();
            let renewed = lock.renew(line, &mut self.world, renewal).unwrap();
            expected.entry(renewal.ask.lease.clone()).or_insert_with(Vec::new).push(renewed);
        }
        let actual = self.store.renew(&batch).await.map_err(|error| error.to_string())?;
        for (renewal, actual) in batch.iter().zip(actual) {
            let expected = expected.get_mut(&renewal.ask.lease).unwrap().remove(0);
            same(&format!("renew {renewal:?}"), &expected, &actual)?;
        }
        let key = batch.first().map_or_else(|| LockKey::new(Kind::Mutex, "m"), |renewal| renewal.ask.key.clone());
        for renewal in &batch {
            self.compare(&renewal.ask.key.clone()).await?;
        }
        Ok((format!("renew {batch:?}"), key))
    }

    async fn resize(&mut self) -> Result<(String, LockKey), String> {
        let (key, leases) = (LockKey::new(Kind::Semaphore, "s"), self.pick(&[None, Some(1), Some(2), Some(4)]));
        self.world.key = key.clone();
        let (lock, line) = self.locks.entry(key.clone()).or_default();
        lock.resize(line, &mut self.world, leases).unwrap();
        self.store.resize(&key, leases).await.map_err(|error| error.to_string())?;
        Ok((format!("resize to {leases:?}"), key))
    }

    async fn revoke(&mut self) -> Result<(String, LockKey), String> {
        let (lease, key) = self.known();
        self.world.key = key.clone();
        let (lock, _) = self.locks.entry(key.clone()).or_default();
        let expected = lock.revoke(&mut self.world, &lease);
        let actual = self.store.revoke(&key, &lease).await.map_err(|error| error.to_string())?;
        same(&format!("revoke {lease}"), &expected, &actual)?;
        Ok((format!("revoke {lease}"), key))
    }

    async fn force_release(&mut self) -> Result<(String, LockKey), String> {
        let (lease, key) = self.known();
        self.world.key = key.clone();
        let (lock, line) = self.locks.entry(key.clone()).or_default();
        let expected = lock.force_release(line, &mut self.world, &lease).unwrap();
        let actual = self.store.force_release(&key, &lease).await.map_err(|error| error.to_string())?;
        same(&format!("force release {lease}"), &expected, &actual)?;
        Ok((format!("force release {lease}"), key))
    }

    /// The server loses its memory of one lock.
    async fn forget(&mut self) -> Result<(String, LockKey), String> {
        let key = self.key();
        self.locks.remove(&key);
        let () = self.raw.run(cmd("DEL").arg(&self.store.keys().four(&key))).await;
        Ok(("forgetting".into(), key))
    }

    async fn compare(&mut self, key: &LockKey) -> Result<(), String> {
        let keys = self.store.keys().four(key);
        let dumped = self
            .raw
            .try_run(cmd("EVAL").arg(dump::SCRIPT).arg(4).arg(&keys))
            .await
            .map_err(|error| format!("the keys of {key}: {error}"))?;
        let (lock, waiters) = dump::read(&dumped);
        let (expected, line) = self.locks.entry(key.clone()).or_default();
        same("the state", expected, &lock)?;
        let expected: Vec<_> = line.in_order().into_iter().cloned().collect();
        same("those who wait", &expected, &waiters)?;
        for (process, hint) in std::mem::take(&mut self.world.told) {
            if let Some(hears) = self.processes.iter_mut().find(|hears| hears.id == process) {
                same("a hint", &Some(hint), &hears.hint().await)?;
            }
        }
        for process in &mut self.processes {
            same("no hint", &None, &process.heard())?;
        }
        Ok(())
    }
}

/// Whether rules and scripts do the same, by this seed.
pub(super) async fn agree(seed: u64, steps: usize, pooled: bool, patches: &[(&str, &str)]) -> Result<(), String> {
    let mut pair = Pair::new(seed, pooled, patches).await;
    pair.steps(steps).await?;
    pair.pass_over().await?;
    pair.hand_over().await
}

#[tokio::test]
async fn a_rate_limit_is_spent_from_as_the_rules_say() {
    // The key ends by the server's own clock, which is not the one here.
    let patch = ("'PX', math.ceil((back - now) / 1000)", "'PX', 3600000");
    let mut pair = Pair::new(7, false, &[patch]).await;
    let key = LockKey::new(Kind::Rate, "r");
    let mut turn = None;
    for step in 0..1000 {
        pair.world.now += pair.pick(&[0, 1, 1000, 40_000, 300_000, 2_000_000]);
        pair.set_clock().await;
        let rate: Rate = pair.pick(&["3/s", "10/s", "90/m"]).parse().unwrap();
        let spend = Spend {
            key: key.clone(),
            rate: rate.burst(pair.pick(&[1, 1, 5])),
            cost: pair.pick(&[1, 1, 2, 7]),
            horizon: Duration::from_millis(pair.pick(&[0, 0, 200, 5000])),
        };
        let (next, expected) = rules::spend(turn, pair.world.now, &spend);
        turn = next.or(turn);
        assert_eq!(pair.store.spend(&spend).await.unwrap(), expected, "step {step}: {spend:?}");
    }
}

#[tokio::test]
async fn the_scripts_do_what_the_rules_say() {
    for seed in 0..6 {
        agree(seed, 1000, false, &[]).await.unwrap_or_else(|difference| panic!("seed {seed}, {difference}"));
    }
}

#[tokio::test]
async fn the_scripts_do_what_the_rules_say_where_hints_go_over_lists() {
    for seed in 100..103 {
        agree(seed, 1000, true, &[]).await.unwrap_or_else(|difference| panic!("seed {seed}, {difference}"));
    }
}
