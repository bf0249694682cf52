use std::time::Duration;

use syn::LitStr;

/// So many per so long.
pub(super) struct Rate {
    pub(super) count: u32,
    pub(super) seconds: u64,
}

/// The fastest and the slowest that a store keeps count of.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_micros(1)..=Duration::from_secs(86_400);

impl Rate {
    pub(super) fn read(literal: &LitStr) -> syn::Result<Self> {
        let text = literal.value();
        let parsed = text.split_once('/').and_then(|(count, unit)| {
            let seconds = match unit.trim() {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                "d" => 86_400,
                _ => return None,
            };
            Some(Self { count: count.trim().parse().ok()?, seconds })
        });
        let fault = format!("`{text}` is no rate; one looks like 10/s, 600/m, 1000/h or 50000/d");
        let rate = parsed.ok_or_else(|| syn::Error::new(literal.span(), fault))?;
        let interval = Duration::from_secs(rate.seconds).checked_div(rate.count).unwrap_or_default();
        if !INTERVALS.contains(&interval) {
            let fault = "a rate is between 1 a day and 1,000,000 a second";
            return Err(syn::Error::new(literal.span(), fault));
        }
        Ok(rate)
    }
}
