use std::time::SystemTime;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// As Celery writes it: microseconds and an offset.
pub(crate) fn iso8601(instant: SystemTime) -> String {
    // Instants outside jiff's range (years -9999 to 9999) can't come from a clock and a delay of at most 300 days.
    let timestamp = Timestamp::try_from(instant).unwrap_or(Timestamp::MAX);
    timestamp.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

/// As Celery's producers write it: any offset; without one it is UTC, as with Celery's default `enable_utc`.
pub(super) fn parse_iso8601(text: &str) -> Option<SystemTime> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.into());
    }
    let naive: DateTime = text.parse().ok()?;
    Some(naive.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
}
