use celeriac_mutex::store::{Holder, LockState};

use crate::{Error, text};

/// Which holders are meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Which {
    /// The one that holds this lease, as `lock show` shows it; several if you like. Not needed where there is one holder.
    #[arg(long = "lease", value_name = "ID")]
    pub(super) leases: Vec<String>,
    /// Every holder.
    #[arg(long, conflicts_with = "leases")]
    pub(super) all: bool,
}

impl Which {
    /// The holders that are meant, of those there are.
    pub(super) fn of(&self, state: &LockState) -> Result<Vec<Holder>, Error> {
        let holders = &state.holders;
        if holders.is_empty() {
            return Err(Error::Failed(format!("nobody holds {}", state.key)));
        }
        if self.all || (self.leases.is_empty() && holders.len() == 1) {
            return Ok(holders.clone());
        }
        if self.leases.is_empty() {
            let many = text::plural(holders.len() as u64, "holder");
            return Err(Error::Usage(format!(
                "{} has {many}; say which: --lease ID, as `celeriac lock show {}` shows them, or --all",
                state.key, state.key
            )));
        }
        let one = |lease: &String| {
            let found = holders.iter().find(|holder| holder.lease.as_str() == lease);
            found.cloned().ok_or_else(|| {
                let there: Vec<_> = holders.iter().map(|holder| holder.lease.as_str()).collect();
                Error::Failed(format!("nobody holds {} by the lease {lease}; there is {}", state.key, there.join(", ")))
            })
        };
        self.leases.iter().map(one).collect()
    }
}

/// Who they are: the first, and how many more.
pub(super) fn names(holders: &[Holder]) -> String {
    let Some(first) = holders.first() else { return "nobody".into() };
    match holders.len() - 1 {
        0 => first.owner.to_string(),
        more => format!("{} and {}", first.owner, text::plural(more as u64, "other holder")),
    }
}
