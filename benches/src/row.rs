//! One line of the report.

use serde::Serialize;

use crate::measure::quantile;

/// What a number has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    /// The ratio, or the value where there is no baseline.
    AtLeast(f64),
    /// The same.
    AtMost(f64),
    /// For the reader only.
    None,
}

/// The least, the middle and the most of some blocks.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Summary {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Summary {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self { min: quantile(&sorted, 0.0), median: quantile(&sorted, 0.5), max: quantile(&sorted, 1.0) }
    }
}

/// One line of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) bench: &'static str,
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: Summary,
    pub(crate) against: Option<String>,
    pub(crate) baseline: Option<Summary>,
    /// Ours by the baseline's, block by block.
    pub(crate) ratio: Option<Summary>,
    pub(crate) goal: Goal,
    pub(crate) passed: Option<bool>,
}

impl Row {
    /// A value that stands for itself.
    pub(crate) fn alone(bench: &'static str, what: impl Into<String>, unit: &'static str, ours: &[f64]) -> Self {
        Self {
            bench,
            what: what.into(),
            unit,
            ours: Summary::of(ours),
            against: None,
            baseline: None,
            ratio: None,
            goal: Goal::None,
            passed: None,
        }
    }

    /// Compares with another side's blocks, pair by pair.
    pub(crate) fn against(mut self, name: impl Into<String>, ours: &[f64], baseline: &[f64]) -> Self {
        let ratios: Vec<f64> = ours.iter().zip(baseline).map(|(ours, baseline)| ours / baseline).collect();
        self.against = Some(name.into());
        self.baseline = Some(Summary::of(baseline));
        self.ratio = Some(Summary::of(&ratios));
        self
    }

    /// Judges the median.
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        let judged = self.ratio.unwrap_or(self.ours).median;
        self.passed = match goal {
            Goal::AtLeast(least) => Some(judged >= least),
            Goal::AtMost(most) => Some(judged <= most),
            Goal::None => None,
        };
        self.goal = goal;
        self
    }

    /// Judges the worst block where one is too many.
    pub(crate) fn worst_at_most(mut self, most: f64) -> Self {
        self.passed = Some(self.ours.max <= most);
        self.goal = Goal::AtMost(most);
        self
    }
}
