use std::{fmt::Write as _, time::Duration};

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// Reads `500ms`, `5s`, `1.5s`, `1h30m`. A number without a unit is refused: seconds to one are milliseconds to another.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let fault = || format!("{text:?} is no duration; write it with its unit, such as 500ms, 5s, 1m30s or 2h");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(fault());
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(fault)?;
        let (number, tail) = rest.split_at(end);
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(fault)?;
        total = part(number, *nanos).and_then(|part| total.checked_add(part)).ok_or_else(fault)?;
        rest = tail.trim_start();
    }
    Ok(total)
}

fn part(number: &str, nanos: u64) -> Option<Duration> {
    let unit = Duration::from_nanos(nanos);
    match number.split_once('.') {
        None => unit.checked_mul(number.parse().ok()?),
        Some(_) => {
            let seconds = number.parse::<f64>().ok()? * unit.as_secs_f64();
            Duration::try_from_secs_f64(seconds).ok()
        }
    }
}

/// Writes a duration as [`parse_duration`] reads it, exact to the millisecond.
pub(crate) fn duration(duration: Duration) -> String {
    let mut nanos = duration.as_nanos();
    let mut text = String::new();
    for (unit, size) in UNITS {
        let many = nanos / u128::from(size);
        nanos %= u128::from(size);
        if many > 0 {
            let _ = write!(text, "{many}{unit}");
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        let ms = Duration::from_millis;
        for (text, expected) in [
            ("500ms", ms(500)),
            ("5s", ms(5000)),
            ("1.5s", ms(1500)),
            ("1m30s", ms(90_000)),
            ("2h 5m", ms(7_500_000)),
            ("1d", ms(86_400_000)),
            ("0s", Duration::ZERO),
        ] {
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn durations_that_leave_a_doubt_are_refused() {
        for text in ["", "5", "5 ", "s", "-5s", "NaNs", "5sec", "1..5s", "99999999999999999999s", "1e3s", "5µs"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["0s", "500ms", "1s500ms", "1m30s", "300d", "25s"] {
            assert_eq!(duration(parse_duration(text).unwrap()), text);
        }
    }
}
