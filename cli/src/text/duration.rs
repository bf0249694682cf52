use std::time::Duration;

use celeriac_broker::Error;

const UNITS: [(&str, u128); 4] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];

/// Reads `500ms`, `5s`, `1.5h`; the fault says what would be right.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    celeriac_broker::duration::parse(text).map_err(|error| match error {
        Error::Config { fault, .. } => fault,
        other => other.to_string(),
    })
}

/// Writes a duration as [`parse_duration`] reads it, to the millisecond, in the largest unit of which it is a multiple.
pub(crate) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match UNITS.iter().find(|(_, length)| millis.is_multiple_of(*length) && millis > 0) {
        Some((unit, length)) => format!("{}{unit}", millis / length),
        None if millis == 0 => "0s".into(),
        None => format!("{millis}ms"),
    }
}

/// Writes a duration for who glances at it: `840ms`, `12.3s`, `1m12s`.
pub(crate) fn short(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ ..1000 => format!("{millis}ms"),
        1000..60_000 => format!("{:.1}s", duration.as_secs_f64()),
        _ => super::rough(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["0s", "500ms", "1500ms", "90s", "5m", "300d", "25s", "2h"] {
            assert_eq!(duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(duration(Duration::from_micros(1)), "0s");
        assert_eq!(duration(Duration::from_secs(60)), "1m");
    }

    #[test]
    fn short_durations_have_two_or_three_digits_that_count() {
        let at = |millis| short(Duration::from_millis(millis));
        assert_eq!([at(0), at(840), at(12_345), at(72_345)], ["0ms", "840ms", "12.3s", "1m12s"]);
    }

    #[test]
    fn a_duration_without_a_unit_is_refused() {
        assert!(parse_duration("25").unwrap_err().contains("no unit"));
    }
}
