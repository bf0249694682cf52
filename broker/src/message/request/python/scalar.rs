use std::fmt::Write as _;

/// Integers keep their digits; floats look as `float.__repr__` writes them.
pub(super) fn number(text: &mut String, json: &str) {
    let float = json.contains(['.', 'e', 'E']).then(|| json.parse::<f64>().ok()).flatten();
    match float {
        Some(float) if float.is_finite() => self::float(text, float),
        _ => text.push_str(json),
    }
}

/// The shortest digits that read back as the same number; an exponent below 1e-4 and from 1e16 on.
fn float(text: &mut String, float: f64) {
    let shortest = format!("{float:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Writing to a String does not fail.
    let _ = if (-4..16).contains(&exponent) {
        write!(text, "{float:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(text, "{mantissa}e{sign}{:02}", exponent.unsigned_abs())
    };
}

/// In single quotes, unless only they occur inside.
pub(super) fn string(text: &mut String, value: &str) {
    let quote = if value.contains('\'') && !value.contains('"') { '"' } else { '\'' };
    text.push(quote);
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            character if character == quote => {
                text.push('\\');
                text.push(character);
            }
            ' '..='~' => text.push(character),
            character if is_printable(character) => text.push(character),
            character => {
                let _ = match u32::from(character) {
                    code @ 0..=0xff => write!(text, "\\x{code:02x}"),
                    code @ 0x100..=0xffff => write!(text, "\\u{code:04x}"),
                    code => write!(text, "\\U{code:08x}"),
                };
            }
        }
    }
    text.push(quote);
}

/// As Python's `str.isprintable`, without its tables: code points that no Unicode version has assigned yet count as
/// printable here, and so do the few format characters of historic scripts.
fn is_printable(character: char) -> bool {
    let unprintable = character.is_control()
        || character.is_whitespace()
        || matches!(u32::from(character),
            0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x890..=0x891 | 0x8e2 | 0x180e
            | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfdd0..=0xfdef | 0xfeff | 0xfff0..=0xfffb
            | 0xe000..=0xf8ff | 0x1d173..=0x1d17a | 0xe0000..=0xe00ff | 0xf0000..)
        || u32::from(character) & 0xfffe == 0xfffe;
    !unprintable
}
