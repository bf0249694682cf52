use std::time::{Duration, SystemTime};

use jiff::{Timestamp, tz::TimeZone};

/// An instant as UTC, to the second.
pub(crate) fn instant(instant: SystemTime) -> String {
    Timestamp::try_from(instant)
        .map_or_else(|_| super::unknown(), |instant| instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// How long ago, in its two largest units.
pub(crate) fn age(then: SystemTime, now: SystemTime) -> String {
    now.duration_since(then).map_or_else(|_| "in the future".into(), rough)
}

/// A duration without what nobody reads: whole seconds, at most two units.
pub(crate) fn rough(age: Duration) -> String {
    let seconds = age.as_secs();
    let (large, small) = match seconds {
        0..60 => return format!("{seconds}s"),
        60..3600 => ((seconds / 60, "m"), (seconds % 60, "s")),
        3600..86_400 => ((seconds / 3600, "h"), (seconds % 3600 / 60, "m")),
        _ => ((seconds / 86_400, "d"), (seconds % 86_400 / 3600, "h")),
    };
    format!("{}{}{}{}", large.0, large.1, small.0, small.1)
}

/// Reads an ISO 8601 instant; one without an offset is UTC.
pub(crate) fn parse_instant(text: &str) -> Result<SystemTime, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant.into());
    }
    text.parse::<jiff::civil::DateTime>()
        .and_then(|naive| naive.to_zoned(TimeZone::UTC))
        .map(|zoned| zoned.timestamp().into())
        .map_err(|_| format!("{text:?} is no instant; write it as 2030-01-31T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_show_their_two_largest_units() {
        let at = |seconds| rough(Duration::from_secs(seconds));
        assert_eq!([at(59), at(61), at(3660), at(90_061)], ["59s", "1m1s", "1h1m", "1d1h"]);
    }

    #[test]
    fn instants_are_read_with_and_without_an_offset() {
        let noon = parse_instant("2030-01-31T12:00:00Z").unwrap();
        assert_eq!(parse_instant("2030-01-31T13:00:00+01:00"), Ok(noon));
        assert_eq!(parse_instant("2030-01-31T12:00:00"), Ok(noon));
        assert_eq!(instant(noon), "2030-01-31T12:00:00Z");
        assert!(parse_instant("tomorrow").is_err());
    }
}
