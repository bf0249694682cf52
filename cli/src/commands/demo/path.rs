//! Paths as bytes in messages, and as text that says which bytes they are.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use celeriac_broker::message::Bytes;

/// The path's bytes, whatever they are.
#[cfg(unix)]
pub(super) fn bytes(path: &Path) -> Bytes {
    use std::os::unix::ffi::OsStrExt as _;
    Bytes(path.as_os_str().as_bytes().to_vec())
}

/// The path's bytes, as WTF-8.
#[cfg(not(unix))]
pub(super) fn bytes(path: &Path) -> Bytes {
    Bytes(path.as_os_str().as_encoded_bytes().to_vec())
}

/// The path that has these bytes.
#[cfg(unix)]
pub(super) fn path(bytes: &Bytes) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(&bytes.0)).to_owned()
}

/// The path that has these bytes.
#[cfg(not(unix))]
pub(super) fn path(bytes: &Bytes) -> PathBuf {
    String::from_utf8_lossy(&bytes.0).into_owned().into()
}

/// The path as text that no other path has.
///
/// A name that is UTF-8 stands as it is. In one that is not, each byte that does not belong to a character is written
/// `\xNN`, and a backslash `\\`. So is a backslash in a UTF-8 name that could be mistaken for one of those.
pub(super) fn text(path: &Path) -> String {
    let bytes = self::bytes(path).0;
    match std::str::from_utf8(&bytes) {
        Ok(plain) if !looks_escaped(plain) => plain.to_owned(),
        _ => escaped(&bytes),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn looks_escaped(plain: &str) -> bool {
    let bytes = plain.as_bytes();
    bytes.windows(2).any(|pair| pair == b"\\\\")
        || bytes.windows(4).any(|four| four.starts_with(b"\\x") && four[2..].iter().all(u8::is_ascii_hexdigit))
}

#[cfg(all(test, unix))]
mod tests {
    use std::{collections::HashSet, ffi::OsStr, os::unix::ffi::OsStrExt as _};

    use super::*;

    fn of(name: &[u8]) -> PathBuf {
        Path::new(OsStr::from_bytes(name)).to_owned()
    }

    #[test]
    fn a_name_survives_its_message_byte_for_byte() {
        for name in [&b"plain"[..], b"caf\xe9", b"\xff\xfe", "äöü".as_bytes(), b"new\nline"] {
            let json = serde_json::to_string(&bytes(&of(name))).unwrap();
            assert_eq!(path(&serde_json::from_str(&json).unwrap()), of(name), "{json}");
        }
    }

    #[test]
    fn utf8_names_are_shown_as_they_are() {
        for name in ["plain", "äöü", "new\nline", "a\\b", "C:\\x", "\\xyz"] {
            assert_eq!(text(&of(name.as_bytes())), name);
        }
    }

    #[test]
    fn no_two_names_are_shown_as_one() {
        let names: [&[u8]; 7] =
            [b"\xe9", b"\\xe9", b"\\\\xe9", b"a\\\xe9", b"a\\\\\xe9", b"a\\\\\\xe9", "\u{e9}".as_bytes()];
        let shown: HashSet<String> = names.iter().map(|name| text(&of(name))).collect();
        assert_eq!(shown.len(), names.len(), "{shown:?}");
        assert_eq!(text(&of(b"caf\xe9")), "caf\\xe9");
    }
}
