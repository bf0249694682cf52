use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use crate::Error;

/// What kind of lock a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// One holder.
    Mutex,
    /// A number of leases.
    Semaphore,
    /// So much per time.
    Rate,
}

impl Kind {
    /// As it is written in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mutex => "mutex",
            Self::Semaphore => "semaphore",
            Self::Rate => "rate",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What names one lock: a kind, a name and the parts of a key.
///
/// It is written as an address, `mutex:invoice:42`. In names and parts, `:`, `%`, `{`, `}`, blanks and control characters are
/// percent-encoded, so that ("a:b", "c") and ("a", "b:c") differ, and any text may be a part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockKey {
    kind: Kind,
    /// `name[:part]*`, encoded.
    path: Box<str>,
}

/// The longest address, in bytes.
const MAX_LENGTH: usize = 4096;

impl LockKey {
    /// A key without parts.
    pub fn new(kind: Kind, name: &str) -> Self {
        Self { kind, path: encoded(name).into() }
    }

    /// The same with one more part.
    pub fn part(&self, part: &str) -> Self {
        Self { kind: self.kind, path: format!("{}:{}", self.path, encoded(part)).into() }
    }

    /// The same with these parts behind its own.
    pub fn parts<P: AsRef<str>>(&self, parts: impl IntoIterator<Item = P>) -> Self {
        parts.into_iter().fold(self.clone(), |key, part| key.part(part.as_ref()))
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name, decoded: the label under which all its keys are counted.
    pub fn name(&self) -> String {
        decoded(self.first()).unwrap_or_default()
    }

    /// Its name, encoded.
    pub(crate) fn first(&self) -> &str {
        self.path.split(':').next().unwrap_or_default()
    }

    /// Name and parts, encoded: what a store makes its own keys of.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.path.is_empty() || self.path.starts_with(':') {
            return Err(Error::Invalid(format!("a {} needs a name that is not empty", self.kind)));
        }
        if self.path.len() > MAX_LENGTH {
            let shown: String = self.path.chars().take(40).collect();
            return Err(Error::Invalid(format!(
                "the key {}:{shown}.. has {} bytes, and at most {MAX_LENGTH} are allowed; lock on a digest of it",
                self.kind,
                self.path.len()
            )));
        }
        Ok(())
    }
}

impl fmt::Display for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.path)
    }
}

impl FromStr for LockKey {
    type Err = Error;

    fn from_str(address: &str) -> Result<Self, Error> {
        let invalid = || {
            Error::Invalid(format!(
                "{address:?} is no lock's address; one looks like mutex:invoice:42 or semaphore:dms:eu"
            ))
        };
        let (kind, path) = address.split_once(':').ok_or_else(invalid)?;
        let kind = match kind {
            "mutex" => Kind::Mutex,
            "semaphore" => Kind::Semaphore,
            "rate" => Kind::Rate,
            _ => return Err(invalid()),
        };
        // Decoded and encoded again, so that two spellings are one key.
        let mut parts = path.split(':').map(decoded);
        let name = parts.next().flatten().ok_or_else(invalid)?;
        let mut key = Self::new(kind, &name);
        for part in parts {
            key = key.part(&part.ok_or_else(invalid)?);
        }
        key.check()?;
        Ok(key)
    }
}

/// What can be a key: a text, an integer, a boolean, or a tuple of up to four of them.
pub trait IntoKey {
    /// Its parts, in order.
    fn into_parts(self) -> Vec<String>;
}

macro_rules! one_part {
    ($($ty:ty),*) => { $(impl IntoKey for $ty {
        fn into_parts(self) -> Vec<String> { vec![self.to_string()] }
    })* };
}
one_part!(&str, String, &String, bool, char, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

macro_rules! tuple {
    ($($name:ident)*) => {
        impl<$($name: IntoKey),*> IntoKey for ($($name,)*) {
            #[allow(non_snake_case, reason = "the type's name names its value")]
            fn into_parts(self) -> Vec<String> {
                let ($($name,)*) = self;
                let mut parts = Vec::new();
                $(parts.extend($name.into_parts());)*
                parts
            }
        }
    };
}
tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, ':' | '%' | '{' | '}' | ' ') || character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                // Writing to a text cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        } else {
            encoded.push(character);
        }
    }
    encoded
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_kept_apart() {
        let key = LockKey::new(Kind::Mutex, "m");
        assert_ne!(key.parts(["a:b", "c"]), key.parts(["a", "b:c"]));
        assert_ne!(key.parts(["a", ""]), key.parts(["a"]));
        assert_ne!(key.parts(["%3A"]), key.parts([":"]));
        assert_ne!(LockKey::new(Kind::Mutex, "m"), LockKey::new(Kind::Semaphore, "m"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in ["", "mutex", "mutex:", "lock:a", "mutex:a%zz", "mutex::a"] {
            let error = text.parse::<LockKey>().unwrap_err().to_string();
            assert!(error.contains("mutex:invoice:42") || error.contains("not empty"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_parts_survive_being_written_and_read(name in ".{1,20}", parts in proptest::collection::vec(".{0,20}", 0..4)) {
            let key = LockKey::new(Kind::Semaphore, &name).parts(&parts);
            prop_assert_eq!(key.to_string().parse::<LockKey>().unwrap(), key.clone());
            prop_assert_eq!(key.name(), name);
            let plain = !key.path().contains(['{', '}', ' ']);
            prop_assert!(plain);
        }

        #[test]
        fn different_parts_are_different_keys(a in proptest::collection::vec(".{0,5}", 0..4), b in proptest::collection::vec(".{0,5}", 0..4)) {
            let key = LockKey::new(Kind::Mutex, "m");
            prop_assert_eq!(a == b, key.parts(&a) == key.parts(&b));
        }
    }
}
