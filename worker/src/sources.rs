//! Where a pool's deliveries come from: one queue, or several that share its slots by weight.

use celeriac_broker::Delivery;
use futures_util::future::select_all;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::metrics::Watched;

/// Where a pool's deliveries come from.
pub(crate) enum Sources {
    /// One queue.
    One(Watched),
    /// Several queues, picked by weight among those that have something.
    Weighted(Weighted),
}

impl Sources {
    pub(crate) fn new(mut consumers: Vec<(Watched, u32)>, stop: &CancellationToken) -> Self {
        match consumers.pop() {
            Some((only, _)) if consumers.is_empty() => Self::One(only),
            last => Self::Weighted(Weighted::new(consumers.into_iter().chain(last), stop)),
        }
    }

    /// The next delivery; `None` when every queue has ended.
    ///
    /// Cancel safe: nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        match self {
            Self::One(consumer) => consumer.next().await,
            Self::Weighted(weighted) => weighted.next().await,
        }
    }

    /// Stops fetching, and returns what was fetched and not started.
    pub(crate) async fn stop(self) -> Vec<Delivery> {
        match self {
            Self::One(consumer) => drain(consumer).await,
            Self::Weighted(weighted) => weighted.stop().await,
        }
    }
}

async fn drain(mut consumer: Watched) -> Vec<Delivery> {
    consumer.stop().await;
    let mut left = Vec::new();
    while let Some(delivery) = consumer.next().await {
        left.push(delivery);
    }
    left
}

/// Several queues, each with a future that fetches one delivery ahead.
///
/// Smooth weighted round robin, as nginx does it: every source that has something gains its weight, the richest one
/// is picked and pays the sum. An empty queue neither gains nor blocks the others.
pub(crate) struct Weighted {
    sources: Vec<Source>,
    fetchers: JoinSet<Vec<Delivery>>,
}

struct Source {
    weight: i64,
    credit: i64,
    fetched: mpsc::Receiver<Delivery>,
    next: Option<Delivery>,
}

impl Weighted {
    fn new(consumers: impl Iterator<Item = (Watched, u32)>, stop: &CancellationToken) -> Self {
        let mut fetchers = JoinSet::new();
        let sources = consumers
            .map(|(consumer, weight)| {
                let (send, fetched) = mpsc::channel(1);
                fetchers.spawn(fetch(consumer, send, stop.clone()));
                Source { weight: weight.max(1).into(), credit: 0, fetched, next: None }
            })
            .collect();
        Self { sources, fetchers }
    }

    async fn next(&mut self) -> Option<Delivery> {
        loop {
            for source in &mut self.sources {
                if source.next.is_none() {
                    source.next = source.fetched.try_recv().ok();
                }
            }
            if let Some(delivery) = self.pick() {
                return Some(delivery);
            }
            let waiting: Vec<_> = self
                .sources
                .iter_mut()
                .filter(|source| !source.fetched.is_closed() || !source.fetched.is_empty())
                .map(|Source { fetched, next, .. }| {
                    Box::pin(async move {
                        *next = fetched.recv().await;
                        next.is_some()
                    })
                })
                .collect();
            if waiting.is_empty() {
                return None;
            }
            select_all(waiting).await;
        }
    }

    fn pick(&mut self) -> Option<Delivery> {
        let mut total = 0;
        for source in self.sources.iter_mut().filter(|source| source.next.is_some()) {
            source.credit += source.weight;
            total += source.weight;
        }
        let richest =
            self.sources.iter_mut().filter(|source| source.next.is_some()).max_by_key(|source| source.credit)?;
        richest.credit -= total;
        richest.next.take()
    }

    async fn stop(mut self) -> Vec<Delivery> {
        let mut left = Vec::new();
        while let Some(drained) = self.fetchers.join_next().await {
            left.extend(drained.unwrap_or_default());
        }
        for source in &mut self.sources {
            left.extend(source.next.take());
            while let Ok(delivery) = source.fetched.try_recv() {
                left.push(delivery);
            }
        }
        left
    }
}

/// Fetches one delivery ahead until the worker stops.
async fn fetch(mut consumer: Watched, send: mpsc::Sender<Delivery>, stop: CancellationToken) -> Vec<Delivery> {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return drain(consumer).await,
            room = send.reserve() => {
                let Ok(room) = room else { return drain(consumer).await };
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return drain(consumer).await,
                    delivery = consumer.next() => match delivery {
                        Some(delivery) => room.send(delivery),
                        None => return Vec::new(),
                    },
                }
            }
        }
    }
}
