//! The night from outside: what is there at its beginning, what is published, and how far the work has come.

use std::{
    collections::{HashMap, HashSet},
    error::Error,
    path::{Path, PathBuf},
    time::Duration,
};

use celeriac::{Broker, Locks, Task};
use tokio::time::{Instant, sleep};

use crate::{
    crew::Crew,
    dealer::{Dealer, NAMES},
    feed::Feed,
    journal::{Entry, Event, Journal},
    options::Options,
    report::{Killed, Report, Restart},
    store::{Rows, Store},
    tasks::{BuildExports, FetchInventory, ImportData, LEASES, Recompress},
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How often the journal and the locks are looked at.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);

pub(crate) const QUEUES: [&str; 4] = ["dealers.imports", "dealers.inventories", "dealers.exports", "dealers.hog"];
const FETCHES_PER_DEALER: usize = 8;
const SCHEDULES: u32 = 12;
const ALBUMS: usize = 6;

/// A vehicle takes 312 bytes of XML.
const VEHICLES_PER_GB: u64 = 3_210_000;

pub(crate) struct Night {
    began: Instant,
    /// When it is given up.
    end: Instant,
    pub(crate) options: Options,
    folder: PathBuf,
    pub(crate) broker: Broker,
    pub(crate) locks: Locks,
    pub(crate) dealers: Vec<Dealer>,
    feeds: Vec<Feed>,
    /// The ids of the tasks.
    published: HashSet<String>,
    pub(crate) killed: Option<Killed>,
    pub(crate) restart: Option<Restart>,
}

impl Night {
    /// Starts the dealers' servers and writes their files.
    pub(crate) async fn begin(options: Options, folder: &Path, broker: Broker, locks: Locks) -> Result<Self> {
        for queue in QUEUES {
            let queue = broker.queue(queue)?.name;
            let left = broker.transport().queue(&queue).await?.and_then(|queue| queue.ready);
            if left.is_some_and(|left| left > 0) {
                return Err(format!("{queue} holds tasks of another night: purge it first").into());
            }
        }
        let mut dealers = Vec::new();
        for (dealer, pace) in NAMES.iter().zip((60..).step_by(15)) {
            dealers.push(Dealer::open(dealer, Duration::from_millis(pace), LEASES).await?);
        }
        let addresses: HashMap<_, _> = dealers.iter().map(|dealer| (&dealer.name, dealer.address)).collect();
        std::fs::write(folder.join("dealers.json"), serde_json::to_vec(&addresses)?)?;
        let feeds = feeds(&options);
        std::fs::create_dir(folder.join("feeds"))?;
        for feed in &feeds {
            feed.write(&file_of(folder, feed))?;
        }
        Journal::open(&folder.join("journal"))?;

        let began = Instant::now();
        let end = began + Duration::from_secs(if options.big { 1800 } else { 120 });
        let (folder, published) = (folder.to_owned(), HashSet::new());
        let night =
            Self { began, end, options, folder, broker, locks, dealers, feeds, published, killed: None, restart: None };
        // An earlier night may have been cut short.
        night.usual_limits().await?;
        night.tell(&format!("{} dealers have left {} feeds", night.dealers.len(), night.feeds.len()));
        Ok(night)
    }

    /// Publishes all of the night's work.
    pub(crate) async fn publish(&mut self) -> Result<()> {
        let import = |feed: &Feed| ImportData { file: file_of(&self.folder, feed), dealer: feed.dealer.clone() };
        let imports: Vec<_> = self.feeds.iter().map(import).collect();
        self.publish_all(imports).await?;
        let dealers = NAMES.iter().cycle().take(NAMES.len() * FETCHES_PER_DEALER);
        let fetches: Vec<_> = dealers.map(|dealer| FetchInventory { dealer: (*dealer).to_owned() }).collect();
        self.publish_all(fetches).await?;
        // By the timetable, and by somebody who does not wait for it.
        let exports: Vec<_> = (1..=SCHEDULES).flat_map(|schedule_id| [schedule_id; 2]).collect();
        self.publish_all(exports.into_iter().map(|schedule_id| BuildExports { schedule_id }).collect()).await?;
        self.publish_all((0..ALBUMS).map(|_| Recompress { photos: 5 }).collect()).await?;
        self.tell(&format!("{} tasks are published", self.published.len()));
        Ok(())
    }

    async fn publish_all<T: Task>(&mut self, tasks: Vec<T>) -> Result<()> {
        for sent in self.broker.publish_all(tasks).await {
            self.published.insert(sent?.id.as_str().to_owned());
        }
        Ok(())
    }

    /// Waits until that part of the tasks is done, or the night is given up.
    pub(crate) async fn progress(&self, part: f64) -> Result<()> {
        #[expect(clippy::cast_precision_loss, reason = "hundreds of tasks")]
        while (self.done()?.len() as f64) < part * self.published.len() as f64 && !self.is_over() {
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// The tasks that are done, by id.
    pub(crate) fn done(&self) -> Result<HashSet<String>> {
        let done = self.journal()?.into_iter().filter(|entry| entry.event != Event::Begun).map(|entry| entry.id);
        Ok(done.filter(|id| self.published.contains(id)).collect())
    }

    pub(crate) fn journal(&self) -> Result<Vec<Entry>> {
        Ok(Journal::read(&self.folder.join("journal"))?)
    }

    /// Sends the workers home, and compares what there is with what was promised.
    pub(crate) async fn report(self, crew: &mut Crew) -> Result<Report> {
        let took = self.began.elapsed();
        let stuck = crew.dismiss().await?;
        let store = |name| Store::at(self.folder.join(name));
        let journal = self.journal()?;
        Ok(Report {
            tasks: self.published.len(),
            done: self.done()?.len(),
            dealers: self.dealers.iter().map(Dealer::seen).collect(),
            rows: Rows::audit(&store("rows")?, &self.feeds)?,
            schedules: SCHEDULES as usize,
            exports: store("exports")?.names()?.len(),
            runs: crate::report::runs(&journal),
            recovery: self.killed.map(|killed| killed.recovery(&journal)),
            restart: self.restart,
            peak_mebibytes: crew.peaks().to_vec(),
            stuck_workers: stuck,
            seconds: took.as_secs_f64(),
        })
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Says what happens, as it happens.
    pub(crate) fn tell(&self, what: &str) {
        eprintln!("{:>6.2} s  {what}", self.began.elapsed().as_secs_f64());
    }
}

/// What the dealers have left. The files of one dealer come together: its three leases are fought for.
fn feeds(options: &Options) -> Vec<Feed> {
    let feed =
        |dealer: &str, number, vehicles| Feed { dealer: dealer.to_owned(), number, vehicles, seed: options.seed };
    let numbers = 0..options.feeds;
    let mut feeds: Vec<_> =
        numbers.zip(NAMES.iter().cycle()).map(|(number, dealer)| feed(dealer, number, options.vehicles)).collect();
    if options.big {
        feeds.push(feed("maple", options.feeds, VEHICLES_PER_GB));
    }
    feeds.sort_by(|one, other| one.dealer.cmp(&other.dealer));
    feeds
}

fn file_of(folder: &Path, feed: &Feed) -> PathBuf {
    folder.join("feeds").join(feed.name()).with_extension("xml")
}
