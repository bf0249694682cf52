//! One process's part of a run, from its start to its end.

use std::{
    convert::Infallible,
    fs::File,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use celeriac_broker::{Broker, QueueName};
use celeriac_worker::{Pool, Worker};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    Parts,
    collect::{Collector, JOURNAL},
    merge::Progress,
    place::{Place, report_queue},
    produce::{self, WALK},
    progress::{self, Display, Shown},
    report::Report,
    stragglers,
    tasks::{DIGEST_QUEUE, Digest, Digested, Failed, Walked},
    work::{Activity, Demo},
};
use crate::{
    Error,
    output::{Output, note},
    text,
};

/// How long files that are being read may take to the end after Ctrl-C; the rest is given back.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Reports merged at once: as many as share a sync of the disk.
const REPORTS: u16 = 512;

/// Slots for each file that is read at once; the others wait until their report is confirmed.
const SLOTS_PER_READER: u16 = 16;

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// One process's part of a run.
#[derive(Debug)]
pub(super) struct Run {
    place: Place,
    broker: Broker,
    parts: Parts,
    concurrency: u16,
    collector: Option<Collector>,
    published: AtomicU64,
    activity: Arc<Activity>,
    began: Instant,
    before: Progress,
    _producing: Option<File>,
}

impl Run {
    /// Declares the queues, and finds out what an earlier run has left to do.
    pub(super) async fn prepare(place: Place, broker: &Broker, parts: Parts, concurrency: u16) -> Result<Self, Error> {
        let began = Instant::now();
        // First, so that a broker that can't be used leaves nothing behind.
        let is_under_way = is_under_way(&place, broker).await?;
        let producing = parts.produce.then(|| place.lock("walk")).transpose()?;
        let collecting = parts.collect.then(|| place.lock("report")).transpose()?;
        if !is_under_way {
            // The broker knows nothing of an earlier run (its file was deleted, or it is another broker): begin anew.
            if parts.produce {
                place.forget(WALK)?;
            }
            if parts.collect {
                place.forget(JOURNAL)?;
            }
        }
        if parts.produce || parts.collect {
            for queue in [DIGEST_QUEUE, &report_queue(&place.run)] {
                let queue = broker.queue(queue).map_err(Error::broker("can't name a queue"))?;
                let doing = format!("can't declare queue {}", queue.name);
                broker.transport().declare(&queue).await.map_err(Error::broker(doing))?;
            }
        }
        let collector = collecting.map(|lock| Collector::open(&place, lock)).transpose()?;
        let before = collector.as_ref().map(|collector| *collector.progress().borrow()).unwrap_or_default();
        Ok(Self {
            place,
            broker: broker.clone(),
            parts,
            concurrency,
            collector,
            published: AtomicU64::new(0),
            activity: Arc::default(),
            began,
            before,
            _producing: producing,
        })
    }

    /// Does its part until it is done or interrupted, and tells what came of it.
    pub(super) async fn drive(self, output: Output) -> Result<(), Error> {
        let mut display = Display::new();
        let stop = CancellationToken::new();
        let ends = async {
            let end = tokio::select! {
                biased;
                () = self.complete() => End::Complete,
                () = interrupted() => End::Interrupted,
                () = stop.cancelled() => End::Stopped,
                never = self.show(&mut display) => match never {},
            };
            stop.cancel();
            end
        };
        let (end, produced, worked, watched) =
            tokio::join!(ends, self.produce(&stop), self.work(&stop), self.watch(&stop));
        display.end(self.shown());
        produced?;
        worked?;
        watched?;
        match (end, &self.collector) {
            (End::Interrupted, _) => {
                note(&format!("stopped at {}; the same command goes on from here", progress::line(self.shown())));
                Ok(())
            }
            (_, Some(collector)) if collector.progress().borrow().is_complete() => self.report(collector, output).await,
            (_, Some(_)) => {
                Err(Error::Failed("the worker ended before the report was complete; run the same command again".into()))
            }
            (_, None) => self.told(output),
        }
    }

    /// Resolves when the report is complete; never where this process does not collect.
    async fn complete(&self) {
        if let Some(collector) = &self.collector {
            let mut progress = collector.progress();
            if progress.wait_for(|progress| progress.is_complete()).await.is_ok() {
                return;
            }
        }
        pending::<()>().await;
    }

    /// Shows progress; never ends.
    async fn show(&self, display: &mut Display) -> Infallible {
        let mut tick = tokio::time::interval(SHOW_EVERY);
        loop {
            tick.tick().await;
            display.show(self.shown());
        }
    }

    fn shown(&self) -> Shown {
        let published = self.published.load(Ordering::Relaxed);
        match &self.collector {
            Some(collector) => {
                let progress = *collector.progress().borrow();
                let found = progress.paths.unwrap_or_else(|| published.max(progress.done));
                Shown { done: progress.done, found: Some(found), walking: progress.paths.is_none() }
            }
            None if self.parts.produce => Shown { done: published, found: None, walking: true },
            None => Shown { done: self.activity.ended(), found: None, walking: true },
        }
    }

    async fn produce(&self, stop: &CancellationToken) -> Result<(), Error> {
        if !self.parts.produce {
            return Ok(());
        }
        let produced = produce::produce(&self.place, &self.broker, &self.published, stop).await;
        if produced.is_err() || !(self.parts.work || self.parts.collect) {
            stop.cancel();
        }
        produced
    }

    async fn work(&self, stop: &CancellationToken) -> Result<(), Error> {
        if !(self.parts.work || self.parts.collect) {
            return Ok(());
        }
        let demo = Demo {
            collector: self.collector.clone(),
            reading: Semaphore::new(self.concurrency.into()),
            activity: self.activity.clone(),
        };
        let mut builder = Worker::builder()
            .broker(self.broker.clone())
            .shutdown_timeout(SHUTDOWN_TIMEOUT)
            .state(|| async { Ok::<_, Infallible>(demo) });
        let mut queues = Vec::new();
        if self.parts.work {
            let slots = self.concurrency.saturating_mul(SLOTS_PER_READER).min(REPORTS).max(self.concurrency);
            builder = builder.register::<Digest>().pool(DIGEST_QUEUE, Pool::new(slots));
            queues.push(DIGEST_QUEUE.to_owned());
        }
        if self.parts.collect {
            let queue = report_queue(&self.place.run);
            builder = builder.register::<Digested>().register::<Failed>().register::<Walked>();
            builder = builder.pool(&queue, Pool::new(REPORTS));
            queues.push(queue);
        }
        // Which queues those are is known only here, not to the tasks.
        let worker = builder.only_queues(queues).build().map_err(Error::worker)?;
        let drained = worker.run_until(stop.clone().cancelled_owned()).await;
        stop.cancel();
        drained.map(drop).map_err(Error::worker)
    }

    /// Looks after what does not report by itself, until told to stop.
    async fn watch(&self, stop: &CancellationToken) -> Result<(), Error> {
        let watching = async {
            match &self.collector {
                Some(collector) => stragglers::bring_in(&self.place, &self.broker, collector).await,
                None if self.parts.work => {
                    let left = stragglers::nothing_left(&self.place, &self.broker, &self.activity).await;
                    stop.cancel();
                    return left;
                }
                None => pending().await,
            }
            Ok(())
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            watched = watching => watched,
        }
    }

    /// What a process that does not collect has done.
    fn told(&self, output: Output) -> Result<(), Error> {
        if self.parts.produce {
            let published = self.published.load(Ordering::Relaxed);
            return output.show(&serde_json::json!({"published": published, "run": self.place.run}), || {
                format!("published {} for run {}\n", text::plural(published, "file"), self.place.run)
            });
        }
        let worked = self.activity.ended();
        output.show(&serde_json::json!({"digests": worked}), || format!("ran {}\n", text::plural(worked, "digest")))
    }

    async fn report(&self, collector: &Collector, output: Output) -> Result<(), Error> {
        let fresh = collector.progress().borrow().done.saturating_sub(self.before.done);
        let report = Report::of(&collector.merged(), &self.place, fresh, self.began.elapsed());
        output.show(&report, || report.people())?;
        // Only now: were it forgotten before it was told, it would have to be done again.
        let doing = "can't delete the queue of the reports";
        let queue = QueueName::new(report_queue(&self.place.run)).map_err(Error::broker(doing))?;
        self.broker.transport().delete(&queue).await.map_err(Error::broker(doing))?;
        // A producer that is still there has begun another run.
        if self.parts.produce || self.place.lock("walk").is_ok() {
            self.place.clear(&[WALK, "walk.lock"])?;
        }
        self.place.clear(&[JOURNAL, "report.lock"])
    }
}

/// Why a process's part is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Every path has a report.
    Complete,
    /// Somebody pressed Ctrl-C, or sent SIGTERM.
    Interrupted,
    /// A part of it has ended.
    Stopped,
}

/// Whether the broker knows of this run.
async fn is_under_way(place: &Place, broker: &Broker) -> Result<bool, Error> {
    let doing = "can't look for an earlier run";
    let queue = QueueName::new(report_queue(&place.run)).map_err(Error::broker(doing))?;
    Ok(broker.transport().queue(&queue).await.map_err(Error::broker(doing))?.is_some())
}

/// Resolves at Ctrl-C or SIGTERM; never where the system refuses to tell.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        pending::<()>().await;
    }
}
