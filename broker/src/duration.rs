//! Durations as people write them: `20s`, `5m`, `1.5h`.

use std::time::Duration;

use crate::Error;

/// The units, shortest first, and their lengths in nanoseconds.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Reads a duration: a number with at most nine digits after the point, and one of the units `ms`, `s`, `m`, `h`, `d`.
///
/// A bare number has no unit and is refused, so that nobody has to guess one.
///
/// ```
/// use std::time::Duration;
/// use celeriac_broker::duration::parse;
///
/// assert_eq!(parse("500ms").unwrap(), Duration::from_millis(500));
/// assert_eq!(parse("1.5h").unwrap(), Duration::from_secs(5400));
/// assert!(parse("20").unwrap_err().to_string().contains("has no unit"));
/// ```
///
/// # Errors
/// [`Error::Config`], which repeats the text and says what would be right; its `setting` is `"duration"`.
pub fn parse(text: &str) -> Result<Duration, Error> {
    let fault = |fault: String| Error::Config { setting: "duration".into(), fault };
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    if trimmed.starts_with('-') {
        return Err(fault(format!("{text:?} is negative")));
    }
    if number.is_empty() {
        return Err(fault(format!(
            "{text:?} is no duration; write a number and a unit, such as 500ms, 20s, 5m, 1h or 2d"
        )));
    }
    let unit = unit.trim();
    let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(fault(match unit {
            "" => format!("{text:?} has no unit; write {number}ms, {number}s, {number}m, {number}h or {number}d"),
            _ => format!("{unit:?} in {text:?} is no unit; the units are ms, s, m, h and d"),
        }));
    };
    scaled(number, *nanos).ok_or_else(|| fault(format!("{text:?} is no number that a duration can hold")))
}

/// `number` times `unit`, exactly.
fn scaled(number: &str, unit: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let denominator = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let whole = whole.parse::<u64>().ok()?;
    let nanos = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit) / u128::from(denominator);
    let nanos = nanos + u128::from(whole) * u128::from(unit);
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).ok()?))
}
