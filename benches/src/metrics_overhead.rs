//! What counting costs: the task that does nothing, with metrics and without; and a scrape of a wide worker.

mod wide;

use celeriac::{Broker, Pool, metrics::Metrics};

use crate::{
    Failure,
    cpu::Spent,
    measure::{Settings, interleave},
    noop::{self, Meter},
    row::{Goal, Row},
};

const BENCH: &str = "metrics-overhead";

/// 3 % more than without.
const OVERHEAD: f64 = 1.03;

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let count = settings.operations(200_000);
    // In memory, where nothing is waited for: processor time, which others on the machine disturb the least.
    let blocks = interleave(&settings.times(4), 2, async |side| {
        let broker = Broker::memory();
        noop::publish(&broker, count).await?;
        let meter = Meter::new(count);
        let metrics = if side == 0 { Some(Metrics::register(&prometheus::Registry::new())?) } else { None };
        let spent = Spent::begin();
        noop::work_with(broker, Pool::new(64), meter, metrics.as_ref()).await?;
        Ok(vec![spent.micros_per(count)])
    })
    .await?;
    let (with, without) = (blocks.of(0, 0), blocks.of(1, 0));
    let row = Row::alone(BENCH, "run, in memory", "us of CPU", &with);
    let mut rows = vec![row.against("without metrics", &with, &without).goal(Goal::AtMost(OVERHEAD))];
    rows.extend(wide::run(settings).await?);
    Ok(rows)
}
