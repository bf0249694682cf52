//! What was promised, and what came of it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    time::Duration,
};

use serde::Serialize;

use crate::{
    dealer::Seen,
    journal::{Entry, Event},
    store::Rows,
};

/// What it may take beyond the ttl until the leases of a dead worker are others'.
const MARGIN: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) tasks: usize,
    pub(crate) done: usize,
    pub(crate) dealers: Vec<Seen>,
    pub(crate) rows: Rows,
    /// Each asked for its export twice.
    pub(crate) schedules: usize,
    pub(crate) exports: usize,
    /// By the task's name.
    pub(crate) runs: BTreeMap<String, Runs>,
    pub(crate) recovery: Option<Recovery>,
    pub(crate) restart: Option<Restart>,
    /// Of each worker.
    pub(crate) peak_mebibytes: Vec<u64>,
    pub(crate) stuck_workers: usize,
    pub(crate) seconds: f64,
}

/// What the runs of one kind of task came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Runs {
    pub(crate) tasks: usize,
    pub(crate) begun: usize,
    pub(crate) done: usize,
    /// There was nothing left to do.
    pub(crate) skipped: usize,
    /// They did what another had done.
    pub(crate) in_vain: usize,
    /// They came to no end: their worker was killed, or they were stopped.
    pub(crate) cut_off: usize,
    /// The most at once, in all workers.
    pub(crate) at_once: usize,
    /// How often the broker handed a task out, on average and at most: its runs, and the times it was given back before.
    pub(crate) deliveries: f64,
    pub(crate) most_deliveries: u32,
}

/// A worker that was killed.
#[derive(Debug)]
pub(crate) struct Killed {
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// The tasks for which it held leases.
    pub(crate) tasks: Vec<String>,
    pub(crate) ttl: Duration,
    pub(crate) free_after: Option<Duration>,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Recovery {
    /// How many leases it held.
    pub(crate) leases: usize,
    pub(crate) ttl: Duration,
    pub(crate) free_after: Option<Duration>,
    /// When others had done its tasks.
    pub(crate) done_after: Option<Duration>,
}

impl Killed {
    pub(crate) fn recovery(self, journal: &[Entry]) -> Recovery {
        let Self { at, tasks, ttl, free_after } = self;
        // A task may have been done already, and its lease not yet released.
        let is_done = |entry: &&Entry, id: &String| entry.id == *id && entry.event != Event::Begun;
        let done = |id| journal.iter().find(|entry| is_done(entry, id)).map(|entry| entry.at);
        let last: Option<Vec<u64>> = tasks.iter().map(done).collect();
        let last = last.and_then(|done| done.into_iter().max());
        let done_after = last.map(|done| Duration::from_millis(done.saturating_sub(at)));
        Recovery { leases: tasks.len(), ttl, free_after, done_after }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Restart {
    pub(crate) took: Duration,
    /// When the first task was done after it.
    pub(crate) work_after: Duration,
}

/// Of each entry: whether the next one of its task in its worker says how a run ended. A worker that ran a task before, and was killed
/// while it ran it again, has not ended that run.
fn ends(journal: &[Entry]) -> Vec<bool> {
    let mut next = HashMap::new();
    let mut ends: Vec<_> = journal
        .iter()
        .rev()
        .map(|entry| next.insert((&entry.id, entry.pid), entry.event).is_some_and(|event| event != Event::Begun))
        .collect();
    ends.reverse();
    ends
}

/// What the journal says of each kind of task.
pub(crate) fn runs(journal: &[Entry]) -> BTreeMap<String, Runs> {
    let run = |entry: &Entry| (entry.id.clone(), entry.pid);
    let ends = ends(journal);
    let mut running: HashMap<&str, HashSet<_>> = HashMap::new();
    // Of each task: how often it was run, and given back before.
    let mut handed_out: BTreeMap<(&str, &str), (u32, u32)> = BTreeMap::new();
    let mut all: BTreeMap<String, Runs> = BTreeMap::new();
    for (entry, ends) in journal.iter().zip(ends) {
        let runs = all.entry(entry.task.clone()).or_default();
        let now = running.entry(&entry.task).or_default();
        match entry.event {
            Event::Begun => {
                runs.begun += 1;
                let (times, deferrals) = handed_out.entry((&entry.task, &entry.id)).or_default();
                *times += 1;
                *deferrals = entry.deferrals.max(*deferrals);
                // A run that was killed is not seen to end.
                if ends {
                    now.insert(run(entry));
                    runs.at_once = runs.at_once.max(now.len());
                }
                continue;
            }
            Event::Done => runs.done += 1,
            Event::Skipped => runs.skipped += 1,
            Event::InVain => runs.in_vain += 1,
        }
        now.remove(&run(entry));
    }
    for (name, runs) in &mut all {
        runs.cut_off = runs.begun.saturating_sub(runs.done + runs.skipped + runs.in_vain);
        let deliveries =
            handed_out.iter().filter(|((task, _), _)| task == name).map(|(_, (times, before))| times + before);
        let deliveries: Vec<u32> = deliveries.collect();
        runs.tasks = deliveries.len();
        runs.most_deliveries = deliveries.iter().copied().max().unwrap_or(0);
        runs.deliveries = f64::from(deliveries.iter().sum::<u32>()) / f64::from(u32::try_from(runs.tasks).unwrap_or(1));
    }
    all
}

impl Report {
    /// The promises that were not kept.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut promise = |kept: bool, otherwise: String| {
            if !kept {
                broken.push(otherwise);
            }
        };
        promise(self.done == self.tasks, format!("{} tasks are not done", self.tasks - self.done));
        for Seen { name, refused, spans, .. } in &self.dealers {
            let hammered = spans.iter().any(|span| span.peak > span.allowed);
            promise(!hammered && *refused == 0, format!("{name} was hammered, and refused {refused} calls"));
        }
        let Rows { expected, imported, wrong } = self.rows;
        promise(imported == expected, format!("{} rows are missing", expected - imported));
        promise(wrong == 0, format!("{wrong} rows are there twice, or should not be there"));
        promise(self.exports == self.schedules, format!("{} exports for {} schedules", self.exports, self.schedules));
        let in_vain: usize = self.runs.values().map(|runs| runs.in_vain).sum();
        promise(in_vain == 0, format!("{in_vain} exports were built twice"));
        let hogs = self.runs.get("dealers.recompress").map_or(0, |runs| runs.at_once);
        promise(hogs <= 1, format!("the hog took {hogs} cores at once"));
        match &self.recovery {
            None => promise(false, "no worker was killed".to_owned()),
            Some(Recovery { ttl, free_after, done_after, .. }) => {
                let bound = *ttl + MARGIN;
                let in_time = free_after.is_some_and(|after| after <= bound);
                promise(in_time, format!("the leases of the killed worker were not free after {bound:?}"));
                promise(done_after.is_some(), "tasks of the killed worker were not done by others".to_owned());
            }
        }
        promise(self.stuck_workers == 0, format!("{} workers did not stop", self.stuck_workers));
        broken
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "calls at once, at most")?;
        for Seen { name, calls, refused, spans } in &self.dealers {
            let peaks: Vec<_> = spans.iter().map(|span| format!("{} of {}", span.peak, span.allowed)).collect();
            writeln!(f, "  {name:<8} {:<20} {calls} calls, {refused} refused", peaks.join(", then "))?;
        }
        let Rows { expected, imported, wrong } = self.rows;
        writeln!(f, "rows: {imported} of {expected} imported, each once; {wrong} wrong")?;
        writeln!(f, "exports: {} for {} schedules, each asked for twice", self.exports, self.schedules)?;
        writeln!(f, "deliveries")?;
        for (task, runs) in &self.runs {
            let Runs { tasks, begun, skipped, cut_off, deliveries, most_deliveries, .. } = runs;
            write!(f, "  {task:<24} {deliveries:.1} a task, at most {most_deliveries}: ")?;
            writeln!(f, "{tasks} tasks, {begun} runs, {skipped} skipped, {cut_off} cut off")?;
        }
        if let Some(Recovery { leases, ttl, free_after: Some(free), done_after: Some(done) }) = &self.recovery {
            writeln!(
                f,
                "a killed worker: {leases} leases with a ttl of {ttl:?} free after {}, its tasks done after {}",
                seconds(*free),
                seconds(*done)
            )?;
        }
        if let Some(Restart { took, work_after }) = &self.restart {
            writeln!(
                f,
                "a restarted broker: took {}, the next task done {} later",
                seconds(*took),
                seconds(*work_after)
            )?;
        }
        let peak =
            self.peak_mebibytes.iter().max().map_or("unknown here".to_owned(), |peak| format!("at most {peak} MiB"));
        writeln!(f, "memory of each worker: {peak}")?;
        for broken in self.broken() {
            writeln!(f, "BROKEN: {broken}")?;
        }
        let verdict = if self.broken().is_empty() { "every promise was kept" } else { "promises were broken" };
        writeln!(f, "{} of {} tasks in {:.1} s: {verdict}", self.done, self.tasks, self.seconds)
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
