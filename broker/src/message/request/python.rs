//! Arguments as Python's `repr` shows them; for people, never parsed.
//!
//! The text is made from the arguments' JSON, byte by byte, so that integers of any size keep their digits, nothing is
//! allocated but the text, and no nesting overflows the stack.

mod scalar;

use crate::Arg;

/// The longest text, in characters; Celery's own bound.
const MAX_CHARS: usize = 1024;

/// `(2, 3)`: a JSON array of positional arguments as Python's tuple.
pub(crate) fn args_repr(json: &[u8]) -> String {
    let mut writer = Writer::new(json);
    writer.value(&[]);
    let mut text = writer.text;
    if text.starts_with('[') {
        text.replace_range(..1, "(");
    }
    if writer.at == json.len() && text.ends_with(']') {
        let one = text.len() > 2 && writer.top_level_commas == 0;
        text.truncate(text.len() - 1);
        text.push_str(if one { ",)" } else { ")" });
    }
    cut(text)
}

/// `{'x': 2, 'token': '***'}`: a JSON object of keyword arguments, the secret ones masked.
pub(crate) fn kwargs_repr(json: &[u8], parameters: &[Arg]) -> String {
    let mut writer = Writer::new(json);
    writer.value(parameters);
    cut(writer.text)
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

struct Writer<'a> {
    json: &'a [u8],
    at: usize,
    depth: usize,
    top_level_commas: usize,
    text: String,
}

impl<'a> Writer<'a> {
    fn new(json: &'a [u8]) -> Self {
        let text = String::with_capacity(json.len().min(MAX_CHARS) + 16);
        Self { json, at: 0, depth: 0, top_level_commas: 0, text }
    }

    /// Writes the whole document, or as much of it as is shown. `parameters` are those of its outermost object.
    fn value(&mut self, parameters: &[Arg]) {
        while let Some(byte) = self.json.get(self.at).copied() {
            // Four bytes for each character is the most that UTF-8 takes.
            if self.text.len() > MAX_CHARS * 4 {
                break;
            }
            match byte {
                b'"' => self.string(parameters),
                b'[' | b'{' => self.punctuation(byte, 1),
                b']' | b'}' => self.punctuation(byte, -1),
                b',' => {
                    self.top_level_commas += usize::from(self.depth == 1);
                    self.text.push_str(", ");
                    self.at += 1;
                }
                b':' => {
                    self.text.push_str(": ");
                    self.at += 1;
                }
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => self.scalar(),
            }
        }
    }

    fn punctuation(&mut self, byte: u8, step: isize) {
        self.depth = self.depth.saturating_add_signed(step);
        self.text.push(char::from(byte));
        self.at += 1;
    }

    fn string(&mut self, parameters: &[Arg]) {
        let raw = self.raw_string();
        let unescaped: String;
        let text = match raw {
            raw if !raw.contains(&b'\\') => {
                raw.get(1..raw.len() - 1).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
            }
            raw => {
                unescaped = serde_json::from_slice(raw).unwrap_or_default();
                &unescaped
            }
        };
        scalar::string(&mut self.text, text);
        let is_key = self.depth == 1 && self.json.get(self.at) == Some(&b':');
        if is_key && parameters.iter().any(|parameter| parameter.secret && parameter.name == text) {
            self.text.push_str(": '***'");
            self.at += 1;
            self.skip_value();
        }
    }

    /// The string that begins here, quotes included, and steps over it.
    fn raw_string(&mut self) -> &'a [u8] {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.json.get(self.at) {
            match byte {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at = (self.at + 1).min(self.json.len());
        &self.json[start..self.at]
    }

    fn skip_value(&mut self) {
        let mut open = 0_usize;
        while let Some(byte) = self.json.get(self.at).copied() {
            match byte {
                b'"' => {
                    self.raw_string();
                    continue;
                }
                b'[' | b'{' => open += 1,
                b',' | b']' | b'}' if open == 0 => return,
                b']' | b'}' => open -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn scalar(&mut self) {
        let rest = &self.json[self.at..];
        let end = rest.iter().position(|byte| b",:]} \t\n\r".contains(byte)).unwrap_or(rest.len()).max(1);
        self.at += end;
        match std::str::from_utf8(&rest[..end]).unwrap_or_default() {
            "null" => self.text.push_str("None"),
            "true" => self.text.push_str("True"),
            "false" => self.text.push_str("False"),
            number => scalar::number(&mut self.text, number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_without_end_and_json_that_ends_too_soon_are_shown_as_far_as_they_go() {
        assert!(args_repr("[".repeat(1_000_000).as_bytes()).starts_with("([[["));
        for json in [&b"[\"a"[..], b"[\"a\\", b"\"", b"]", b"[1", b"{\"a\":", b"\xff\xfe", b""] {
            args_repr(json);
            kwargs_repr(json, &[Arg::required("a").secret()]);
        }
    }
}
