use celeriac_mutex::{LockKey, store::Holder};
use serde_json::{Value, json};

use super::{
    audit,
    holders::{self, Which},
    target::{LOCKS, Target},
    view,
};
use crate::{
    Error,
    config::{LockStore, parse},
    output::{Output, confirm},
    text,
};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Release {
    #[command(flatten)]
    pub(super) target: Target,
    #[command(flatten)]
    pub(super) which: Which,
    /// Why: for the log.
    #[arg(long, value_name = "TEXT", value_parser = parse::reason)]
    pub(super) reason: String,
    /// Do it without being asked.
    #[arg(long, short)]
    pub(super) yes: bool,
}

/// What was done.
#[derive(Debug)]
pub(super) struct Done {
    key: LockKey,
    by: String,
    reason: String,
    /// Those from whom it was taken.
    pub(super) released: Vec<Holder>,
    /// Those who had let go by themselves meanwhile.
    pub(super) gone: Vec<Holder>,
}

pub(super) async fn run(release: &Release, output: Output, store: &LockStore) -> Result<(), Error> {
    let done = release.perform(store).await?;
    output.show(&done.document(), || done.people())
}

impl Release {
    pub(super) async fn perform(&self, store: &LockStore) -> Result<Done, Error> {
        let state = self.target.find(&LOCKS, store).await?;
        let holders = self.which.of(&state)?;
        let key = state.key;
        confirm(
            &format!(
                "This takes {key} at {} from {}, who may go on working while another holds it; only the fencing token tells \
                 them apart.",
                store.address,
                holders::names(&holders)
            ),
            self.yes,
        )?;
        let (mut released, mut gone) = (Vec::new(), Vec::new());
        let by = audit::operator();
        for holder in holders {
            let doing = format!("can't release {key}");
            if store.locks.force_release(&key, &holder.lease).await.map_err(Error::locks(doing))? {
                audit::log("an operator took a lock from its holder", &key, &holder, &by, Some(&self.reason));
                released.push(holder);
            } else {
                gone.push(holder);
            }
        }
        Ok(Done { key, by, reason: self.reason.clone(), released, gone })
    }
}

impl Done {
    pub(super) fn document(&self) -> Value {
        let all = |holders: &[Holder]| holders.iter().map(view::of_holder).collect::<Vec<_>>();
        json!({
            "address": self.key.to_string(),
            "by": self.by,
            "reason": self.reason,
            "released": all(&self.released),
            "gone": all(&self.gone),
        })
    }

    pub(super) fn people(&self) -> String {
        let mut lines = Vec::new();
        for holder in &self.released {
            lines.push(format!(
                "released {} from {}; its fencing token {} is dead",
                self.key, holder.owner, holder.fence
            ));
        }
        for holder in &self.gone {
            lines.push(format!("{} had let go of {} by itself", holder.owner, self.key));
        }
        if !self.released.is_empty() {
            lines.push(format!("by {}: {}", self.by, self.reason));
            lines.push(
                "whoever held it may still be running: it learns of it by its next renewal, and stops by itself unless it hangs \
                 or can't reach the store"
                    .into(),
            );
        }
        lines.iter().map(|line| text::one_line(line) + "\n").collect()
    }
}
