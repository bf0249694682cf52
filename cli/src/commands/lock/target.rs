use celeriac_mutex::{Kind, LockKey, store::LockState};

use super::every;
use crate::{Error, config::LockStore};

/// What `lock` looks at.
pub(super) const LOCKS: [Kind; 2] = [Kind::Mutex, Kind::Semaphore];
/// What `semaphore` looks at.
pub(crate) const SEMAPHORES: [Kind; 1] = [Kind::Semaphore];

/// How many names are suggested.
const SUGGESTED: usize = 3;

/// Which lock is meant.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// An address as `lock list` shows it, such as mutex:invoice:42; or a lock's name.
    #[arg(value_name = "ADDRESS|NAME")]
    pub(crate) name: String,
    /// What the lock is keyed on, where its name is given.
    pub(crate) key: Vec<String>,
}

impl Target {
    /// The locks that it may mean: one of each kind for a name, one for an address.
    pub(crate) fn candidates(&self, kinds: &[Kind]) -> Result<Vec<LockKey>, Error> {
        let read = |address: &str| {
            let key = address.parse::<LockKey>().map_err(|fault| Error::Usage(fault.to_string()))?;
            Ok(key.parts(&self.key))
        };
        let kind = self.name.split_once(':').map(|(kind, _)| kind);
        match [Kind::Mutex, Kind::Semaphore, Kind::Rate].into_iter().find(|known| kind == Some(known.as_str())) {
            None => kinds.iter().map(|kind| read(&format!("{kind}:{}", self.name))).collect(),
            Some(kind) if kinds.contains(&kind) => Ok(vec![read(&self.name)?]),
            Some(Kind::Rate) => Err(Error::Usage(format!("{} is a rate limit, which nobody holds", self.name))),
            Some(kind) => {
                Err(Error::Usage(format!("{} is a {kind}; `celeriac lock show` shows locks of every kind", self.name)))
            }
        }
    }

    /// The lock that is meant.
    pub(crate) async fn find(&self, kinds: &[Kind], store: &LockStore) -> Result<LockState, Error> {
        let candidates = self.candidates(kinds)?;
        let mut found = Vec::new();
        for key in &candidates {
            let doing = format!("can't look at {key}");
            found.extend(store.locks.inspect(key).await.map_err(Error::locks(doing))?);
        }
        // A store may remember a lock that is free now, beside one of the other kind that somebody holds.
        if found.len() > 1 && found.iter().any(is_used) {
            found.retain(is_used);
        }
        match found.len() {
            0 => Err(missing(&candidates, store).await),
            1 => Ok(found.remove(0)),
            _ => {
                let both: Vec<_> = found.iter().map(|state| state.key.to_string()).collect();
                Err(Error::Usage(format!("that names two locks; say which: {}", both.join(" or "))))
            }
        }
    }
}

fn is_used(state: &LockState) -> bool {
    !state.holders.is_empty() || !state.waiters.is_empty()
}

/// That nobody knows the lock, and what was probably meant.
async fn missing(candidates: &[LockKey], store: &LockStore) -> Error {
    let asked = match candidates {
        [key] => format!("lock {key}"),
        others => format!("lock {}", others.first().map_or("", LockKey::path)),
    };
    let known = every(store).await.unwrap_or_default();
    let near = near(candidates, known.iter().map(|lock| &lock.key));
    let hint = if near.is_empty() {
        "`celeriac lock list` shows those that are held or waited for".into()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Error::Failed(format!("there is no {asked} at {}; {hint}", store.address))
}

/// The addresses that are written almost like one of the candidates, nearest first.
pub(super) fn near<'a>(candidates: &[LockKey], known: impl Iterator<Item = &'a LockKey>) -> Vec<String> {
    let distance = |key: &LockKey| {
        let one = |asked: &LockKey| strsim::damerau_levenshtein(asked.path(), key.path());
        candidates.iter().map(one).min().unwrap_or(usize::MAX)
    };
    let mut near: Vec<_> = known
        .map(|key| (distance(key), key))
        .filter(|(distance, key)| *distance <= key.path().chars().count() / 4 + 1)
        .collect();
    near.sort();
    near.into_iter().take(SUGGESTED).map(|(_, key)| key.to_string()).collect()
}
