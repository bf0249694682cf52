//! Every metric, once: its name, what it is, and the labels that it has.

use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, Opts,
    core::Desc,
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

/// What a metric counts or measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Counter,
    Gauge,
    Histogram,
}

/// A metric.
#[derive(Debug)]
pub(super) struct Def {
    pub(super) name: &'static str,
    help: &'static str,
    shape: Shape,
    labels: &'static [&'static str],
    /// The upper bounds of its buckets, in seconds.
    buckets: &'static [f64],
}

macro_rules! metrics {
    ($($id:ident: $shape:ident, $name:literal, [$($label:literal),*], $help:literal $(, $buckets:expr)?;)*) => {
        $(pub(super) const $id: Def = Def {
            name: concat!("celeriac_", $name),
            help: $help,
            shape: Shape::$shape,
            labels: &[$($label),*],
            buckets: { #[allow(unused_variables, unused_assignments, reason = "most have none")] { let buckets: &'static [f64] = &[]; $(let buckets = $buckets;)? buckets } },
        };)*

        /// All of them.
        pub(super) const ALL: &[&Def] = &[$(&$id),*];
    };
}

/// A run's time: 5 ms to 1 h.
const RUN: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0];
/// A wait's time: 50 ms to 30 min.
const WAIT: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];

metrics! {
    TASKS_FINISHED: Counter, "tasks_finished_total", ["task", "queue", "outcome", "reason"], "Deliveries that were settled.";
    TASK_DURATION: Histogram, "task_duration_seconds", ["task"], "How long handlers ran, whatever their outcome.", RUN;
    TASK_QUEUE_WAIT: Histogram, "task_queue_wait_seconds", ["queue"], "From the moment a message was due until a slot took it.", WAIT;
    TASK_RETRIES: Counter, "task_retries_total", ["task", "queue"], "Failed attempts that will be repeated.";
    TASK_DEFERRALS: Counter, "task_deferrals_total", ["queue", "reason"], "Tasks put off without an attempt being counted.";
    DEAD_LETTERED: Counter, "dead_lettered_total", ["queue", "reason"], "Messages that this worker buried.";
    REDELIVERIES: Counter, "redeliveries_total", ["queue"], "Deliveries of a message whose last worker died or lost its connection.";
    ACKS_LOST: Counter, "acks_lost_total", [], "Runs that ended when the broker had taken their message back.";
    SETTLE_REPEATS: Counter, "settle_repeats_total", ["reason"], "Failed tries to settle a message, which are repeated.";
    POOL_SLOTS: Gauge, "pool_slots", ["pool"], "How many tasks a pool runs at once.";
    POOL_SLOTS_BUSY: Gauge, "pool_slots_busy", ["pool"], "Slots that hold a delivery.";
    TASKS_RUNNING: Gauge, "tasks_running", ["task"], "Runs in progress.";
    TASK_OLDEST_RUN: Gauge, "task_oldest_run_seconds", ["task"], "Age of the oldest run in progress.";
    HANDLERS_STUCK: Gauge, "handlers_stuck", ["task"], "Handlers that block their thread past their hard limit.";
    PUBLISHED: Counter, "published_total", [], "Messages that the broker has confirmed.";
    PUBLISH_FAILURES: Counter, "publish_failures_total", ["reason"], "Publishes that failed.";
    PUBLISH_DURATION: Histogram, "publish_duration_seconds", [], "From a publish to its confirmation.";
    RECONNECTS: Counter, "reconnects_total", ["backend"], "Connections made anew after one was lost.";
    WORKER_READY: Gauge, "worker_ready", ["check"], "What readiness found last: 0 or 1.";
    ROUND_TRIP: Gauge, "broker_round_trip_seconds", [], "How long the last message of the worker to itself took.";
    START_TIME: Gauge, "worker_start_time_seconds", [], "When the worker began to consume, in seconds since 1970.";
    WORKER_INFO: Gauge, "worker_info", ["worker", "version", "queues", "broker", "locks"], "Who this is; always 1.";
    QUEUE_DEPTH: Gauge, "queue_depth", ["queue", "state"], "Messages by state; the same from every worker that reports it.";
    QUEUE_OLDEST_AGE: Gauge, "queue_oldest_age_seconds", ["queue"], "How long the oldest ready message has been due.";
    QUEUE_CONSUMERS: Gauge, "queue_consumers", ["queue"], "Consumers, over all workers.";
    QUEUE_REPORTER: Gauge, "queue_reporter", ["queue"], "Whether this worker reports the queue: 0 or 1.";
    LOCK_WAIT: Histogram, "lock_wait_seconds", ["kind", "lock"], "From the first question for a lock until it was granted.";
    LOCK_HOLD: Histogram, "lock_hold_seconds", ["kind", "lock"], "How long leases were held.";
    LOCK_OLDEST_HOLD: Gauge, "lock_oldest_hold_seconds", ["kind", "lock"], "Age of the oldest lease that this process holds.";
    LEASES_LOST: Counter, "leases_lost_total", ["kind", "lock", "reason"], "Leases lost before their holder let go.";
    LEASE_RENEWALS: Counter, "lease_renewals_total", ["result"], "Renewals of leases by what came of them.";
    LOCK_WAITERS: Gauge, "lock_waiters", ["kind", "lock"], "Who stands in line or was put off; the same from every worker that reports it.";
    MUTEX_HELD: Gauge, "mutex_held", ["lock"], "Keys of the mutex that are held; the same from every worker that reports it.";
    SEMAPHORE_LIMIT: Gauge, "semaphore_limit", ["lock"], "Leases of all keys in use; the same from every worker that reports it.";
    SEMAPHORE_HELD: Gauge, "semaphore_held", ["lock"], "Leases that are held; the same from every worker that reports it.";
}

impl Def {
    /// A counter that is written where it counts.
    pub(super) fn counter(&self) -> prometheus::Result<IntCounterVec> {
        IntCounterVec::new(Opts::new(self.name, self.help), self.labels)
    }

    /// A histogram that is written where it measures.
    pub(super) fn histogram(&self) -> prometheus::Result<HistogramVec> {
        let options = HistogramOpts::new(self.name, self.help).buckets(self.buckets.to_vec());
        HistogramVec::new(options, self.labels)
    }

    /// How a registry knows it.
    pub(super) fn desc(&self) -> prometheus::Result<Desc> {
        let labels = self.labels.iter().map(|label| (*label).to_owned()).collect();
        Desc::new(self.name.to_owned(), self.help.to_owned(), labels, std::collections::HashMap::new())
    }

    /// What a scrape shows of a metric that is read when it is asked for.
    pub(super) fn family(&self, samples: impl IntoIterator<Item = Sample>) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(match self.shape {
            Shape::Counter => MetricType::COUNTER,
            Shape::Gauge => MetricType::GAUGE,
            Shape::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(samples.into_iter().map(|sample| self.metric(sample)).collect());
        family
    }

    fn metric(&self, sample: Sample) -> Metric {
        let label = |(name, value): (&&str, String)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value);
            pair
        };
        let mut pairs: Vec<_> = self.labels.iter().zip(sample.labels).map(label).collect();
        pairs.sort_by(|one, other| one.name().cmp(other.name()));
        let mut metric = Metric::from_label(pairs);
        match (sample.value, self.shape) {
            (Value::Number(number), Shape::Counter) => {
                let mut counter = Counter::default();
                counter.set_value(number);
                metric.set_counter(counter);
            }
            (Value::Number(number), _) => {
                let mut gauge = Gauge::default();
                gauge.set_value(number);
                metric.set_gauge(gauge);
            }
            (Value::Histogram(histogram), _) => metric.set_histogram(histogram),
        }
        metric
    }
}

/// One line of a metric, or one histogram.
#[derive(Debug)]
pub(super) struct Sample {
    /// In the order of the metric's labels.
    labels: Vec<String>,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Number(f64),
    Histogram(Histogram),
}

impl Sample {
    pub(super) fn new<const N: usize>(labels: [&str; N], value: f64) -> Self {
        Self { labels: labels.map(str::to_owned).into(), value: Value::Number(value) }
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are of this type; no count here reaches 2^53")]
    pub(super) fn count<const N: usize>(labels: [&str; N], count: u64) -> Self {
        Self::new(labels, count as f64)
    }

    /// A histogram of which each bucket's own count is known.
    pub(super) fn histogram<const N: usize>(
        labels: [&str; N],
        bounds: &[std::time::Duration],
        counts: &[u64],
        count: u64,
        sum: std::time::Duration,
    ) -> Self {
        let mut histogram = Histogram::default();
        histogram.set_sample_count(count);
        histogram.set_sample_sum(sum.as_secs_f64());
        let buckets = bounds.iter().zip(counts).scan(0, |all, (bound, count)| {
            *all += count;
            let mut bucket = Bucket::default();
            bucket.set_cumulative_count(*all);
            bucket.set_upper_bound(bound.as_secs_f64());
            Some(bucket)
        });
        histogram.set_bucket(buckets.collect());
        Self { labels: labels.map(str::to_owned).into(), value: Value::Histogram(histogram) }
    }
}
