//! Blocks of measurement, interleaved: what disturbs the machine disturbs every side alike.

use crate::Failure;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Blocks of each side, after one block of each to warm up.
    pub(crate) blocks: usize,
    quick: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { blocks: 7, quick: false }
    }
}

impl Settings {
    /// Enough to see that everything works, not to compare.
    pub(crate) fn quick() -> Self {
        Self { blocks: 3, quick: true }
    }

    /// So many times as many blocks: for a difference that is smaller than that of two blocks.
    pub(crate) fn times(self, times: usize) -> Self {
        Self { blocks: if self.quick { self.blocks } else { self.blocks * times }, ..self }
    }

    /// `full` operations, or a twentieth of them.
    pub(crate) fn operations(&self, full: u64) -> u64 {
        if self.quick { full / 20 } else { full }
    }
}

/// What was measured: for each side, for each block, one number per metric.
pub(crate) struct Blocks(Vec<Vec<Vec<f64>>>);

impl Blocks {
    /// One metric of one side, block by block.
    pub(crate) fn of(&self, side: usize, metric: usize) -> Vec<f64> {
        self.0[side].iter().map(|block| block[metric]).collect()
    }
}

/// Runs `block` with the number of a side, in turns. The first round is not counted; every other one runs backwards, so
/// that no side always follows the same one.
pub(crate) async fn interleave(
    settings: &Settings,
    sides: usize,
    mut block: impl AsyncFnMut(usize) -> Result<Vec<f64>, Failure>,
) -> Result<Blocks, Failure> {
    let mut blocks = vec![Vec::with_capacity(settings.blocks); sides];
    for side in 0..sides {
        block(side).await?;
    }
    for round in 0..settings.blocks {
        for turn in 0..sides {
            let side = if round % 2 == 0 { turn } else { sides - 1 - turn };
            blocks[side].push(block(side).await?);
        }
    }
    Ok(Blocks(blocks))
}

/// The value that `share` of the sorted values do not exceed.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a short list"
    )]
    let at = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// Operations per second.
#[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn rate(operations: u64, took: std::time::Duration) -> f64 {
    operations as f64 / took.as_secs_f64()
}
