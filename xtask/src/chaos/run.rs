use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use super::{
    Expected, Findings, History, Nanos, What,
    clock::{nanos, now},
    faults::Faults,
    random::Random,
    register::Register,
    server::Server,
    workers::{Kit, Worker},
};
use crate::services::{Error, Folder};

/// Where the leases are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In a Redis server.
    Redis {
        /// What it remembers when it was killed.
        memory: Memory,
    },
    /// In a Redis server that has a replica, which a sentinel puts in its place.
    Sentinel,
    /// In a SQLite file.
    Sqlite,
}

/// What a Redis server remembers when it was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Nothing.
    None,
    /// What it knew at its last snapshot, a second or two before.
    Snapshots,
    /// Everything: it has an append-only file.
    All,
}

impl Store {
    /// How long leases last.
    fn ttl(self) -> Duration {
        match self {
            // Some outlive a failover, which takes one to two seconds.
            Self::Sentinel => Duration::from_secs(3),
            Self::Redis { .. } | Self::Sqlite => BEAT,
        }
    }

    /// For how long holders only die, and for how long everything else happens then.
    fn phases(self) -> (Duration, Duration) {
        match self {
            Self::Sentinel => (BEAT * 12, BEAT * 8),
            Self::Redis { .. } | Self::Sqlite => (BEAT * 5, BEAT * 5),
        }
    }
}

/// What is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the leases are.
    pub store: Store,
    /// What befalls whom, and when.
    pub seed: u64,
    /// For how long faults happen.
    pub lasts: Duration,
    /// How many processes work.
    pub workers: usize,
    /// Whether one of them never looks whether its lease is lost.
    pub careless: bool,
    /// The program that they run.
    pub program: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What the checker found.
    pub findings: Findings,
    /// How often each fault happened.
    pub faults: BTreeMap<&'static str, usize>,
    /// Everything that happened.
    pub history: History,
}

/// How often something happens, about: the longest pause where holders only die is twice as long.
const BEAT: Duration = Duration::from_millis(800);
/// How long past its ttl a dead holder's lock may be taken: half a second for a hand-off to somebody who is about to die, and what a
/// busy machine takes.
const SLACK: Duration = Duration::from_millis(1200);
/// How long a failover may last. Generous: a sentinel that was kept from its work for two seconds lets thirty pass.
const FAILOVER_BOUND: Duration = Duration::from_secs(120);

/// Runs it.
///
/// # Errors
/// What prevents it from running; that a claim does not hold is no error.
pub fn run(options: &Options) -> Result<Report, Error> {
    let io = |source: io::Error| Error::io("running processes under faults".to_owned(), source);
    let folder = Folder::create("chaos")?;
    let leases = BTreeMap::from([("one".to_owned(), 1), ("two".to_owned(), 1), ("three".to_owned(), 3)]);
    let register = Register::start(&folder.path().join("register.log"), leases.clone()).map_err(io)?;
    let mut server = Server::start(options.store)?;
    let (direct, url) = if let Some(server) = &server {
        server.urls()
    } else {
        let url = format!("sqlite://{}", folder.path().join("locks.db").display());
        (url.clone(), url)
    };
    let (ttl, (calm_for, trouble_for)) = (options.store.ttl(), options.store.phases());
    let kit = Kit {
        program: options.program.clone(),
        url,
        folder: folder.path().to_owned(),
        register: register.address(),
        seed: options.seed,
        ttl,
    };
    let watching = Kit { url: direct, program: kit.program.clone(), folder: kit.folder.clone(), ..kit };
    let watcher = watching.start(0, 0, "watch").map_err(io)?;
    let role = |number| match options.store {
        _ if options.careless && number == 0 => "careless",
        // Short holds are over before a server is there again.
        Store::Sentinel | Store::Redis { memory: Memory::Snapshots } => "linger",
        Store::Redis { .. } | Store::Sqlite => "work",
    };
    let mut workers = (0..options.workers)
        .map(|number| kit.start(number, 0, role(number)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(io)?;
    let log = File::create(folder.path().join("faults.log")).map_err(io)?;
    let random = Random::new(options.seed);
    let mut faults =
        Faults { random, log, counts: BTreeMap::new(), ttl, longest_stop: trouble_for, only_stops: options.careless };

    let began = Instant::now();
    let mut broken = Vec::new();
    while began.elapsed() < options.lasts {
        let calm = began.elapsed().as_millis() % (calm_for + trouble_for).as_millis() < calm_for.as_millis();
        let pause = if calm { faults.random.tenths(BEAT, 8, 20) } else { faults.random.tenths(BEAT, 1, 6) };
        wait(pause, &mut workers, &mut faults, server.as_mut()).map_err(io)?;
        faults.strike(&kit, &mut workers, server.as_mut(), calm).map_err(io)?;
        for worker in &mut workers {
            if worker.has_ended() {
                broken.push(format!("{} ended by itself", worker.name()));
                worker.replace(&kit).map_err(io)?;
            }
        }
    }
    let end = Instant::now() + FAILOVER_BOUND;
    while server.as_ref().is_some_and(|server| !server.is_whole()) && Instant::now() < end {
        wait(BEAT, &mut workers, &mut faults, server.as_mut()).map_err(io)?;
    }
    if server.as_ref().is_some_and(|server| !server.is_whole()) {
        broken.push(format!("no replica took its primary's place within {FAILOVER_BOUND:?}"));
    }
    let quiet = now() + nanos(trouble_for);
    wait(trouble_for + ttl * 3, &mut workers, &mut faults, server.as_mut()).map_err(io)?;
    drop((workers, watcher));

    let history = History::read(folder.path()).map_err(io)?;
    let recovery = nanos(ttl + SLACK);
    let mut findings = Expected { leases: leases.clone(), recovery }.check(&history);
    for key in leases.keys() {
        if !is_had_after(&history, key, quiet) {
            broken.push(format!("{key}: nobody had it after the faults were over"));
        }
    }
    findings.broken.extend(broken);
    Ok(Report { findings, faults: faults.counts, history })
}

fn is_had_after(history: &History, key: &str, instant: Nanos) -> bool {
    let had = |what: &What| matches!(what, What::Got { key: of, .. } if of == key);
    history.0.iter().any(|event| event.at > instant && had(&event.what))
}

/// Waits, lets those go on whose pause is over, and has a failover go its way.
fn wait(
    pause: Duration,
    workers: &mut [Worker],
    faults: &mut Faults,
    mut server: Option<&mut Server>,
) -> io::Result<()> {
    let end = Instant::now() + pause;
    loop {
        let now = Instant::now();
        for worker in &mut *workers {
            worker.go_on(now);
        }
        faults.tend(server.as_deref_mut())?;
        let Some(left) = end.checked_duration_since(now).filter(|left| !left.is_zero()) else { return Ok(()) };
        thread::park_timeout(left.min(Duration::from_millis(20)));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> = self.faults.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(f, "{} faults: {}", self.faults.values().sum::<usize>(), faults.join(", "))?;
        self.findings.fmt(f)
    }
}
