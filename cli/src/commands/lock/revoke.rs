use std::time::{Duration, Instant};

use celeriac_mutex::{LockKey, store::Holder};
use serde_json::{Value, json};

use super::{
    audit,
    holders::Which,
    target::{LOCKS, Target},
    view,
};
use crate::{
    Error,
    config::{LockStore, parse},
    output::Output,
    text,
};

/// How often it is looked whether a holder has let go.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(super) target: Target,
    #[command(flatten)]
    pub(super) which: Which,
    /// How long to wait for it to let go; 0s asks and goes away.
    #[arg(long, value_name = "DURATION", value_parser = parse::duration, default_value = "10s")]
    pub(super) wait: Duration,
}

/// One holder that was asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) holder: Holder,
    /// After how long it was seen to hold no longer.
    pub(super) let_go: Option<Duration>,
}

pub(super) async fn run(revoke: &Revoke, output: Output, store: &LockStore) -> Result<(), Error> {
    let (key, asked) = revoke.perform(store).await?;
    let waited = !revoke.wait.is_zero();
    output.show(&document(&key, &asked, waited), || people(&key, &asked, waited))?;
    let still = asked.iter().filter(|asked| asked.let_go.is_none()).count();
    if still == 0 || !waited {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "{} of {key} did not let go in {}; what runs past its `lost()` is stopped by nobody, and `celeriac lock release` takes \
         the lock from it",
        text::plural(still as u64, "holder"),
        text::duration(revoke.wait)
    )))
}

impl Revoke {
    pub(super) async fn perform(&self, store: &LockStore) -> Result<(LockKey, Vec<Asked>), Error> {
        let state = self.target.find(&LOCKS, store).await?;
        let holders = self.which.of(&state)?;
        let key = state.key;
        let by = audit::operator();
        let began = Instant::now();
        let mut asked = Vec::new();
        for holder in holders {
            let doing = format!("can't revoke {key}");
            let there = store.locks.revoke(&key, &holder.lease).await.map_err(Error::locks(doing))?;
            if there {
                audit::log("an operator asked the holder of a lock to let go", &key, &holder, &by, None);
            }
            asked.push(Asked { holder, let_go: (!there).then(|| began.elapsed()) });
        }
        while asked.iter().any(|asked| asked.let_go.is_none()) && began.elapsed() < self.wait {
            tokio::time::sleep(LOOK_EVERY.min(self.wait)).await;
            let doing = format!("can't look at {key}");
            let now = store.locks.inspect(&key).await.map_err(Error::locks(doing))?;
            let holders = now.map(|state| state.holders).unwrap_or_default();
            for asked in asked.iter_mut().filter(|asked| asked.let_go.is_none()) {
                let holds = holders.iter().any(|holder| holder.lease == asked.holder.lease);
                asked.let_go = (!holds).then(|| began.elapsed());
            }
        }
        Ok((key, asked))
    }
}

pub(super) fn document(key: &LockKey, asked: &[Asked], waited: bool) -> Value {
    let one = |asked: &Asked| {
        let mut document = view::of_holder(&asked.holder);
        document["revoked"] = json!(true);
        // Nobody looked, where nobody waited.
        document["let_go"] = if waited || asked.let_go.is_some() { json!(asked.let_go.is_some()) } else { Value::Null };
        document["let_go_after_seconds"] = json!(asked.let_go.map(|after| after.as_secs_f64()));
        document
    };
    json!({"address": key.to_string(), "asked": asked.iter().map(one).collect::<Vec<_>>()})
}

pub(super) fn people(key: &LockKey, asked: &[Asked], waited: bool) -> String {
    let line = |asked: &Asked| {
        let owner = &asked.holder.owner;
        let line = match asked.let_go {
            Some(after) => format!("{owner} let go of {key} within {}", text::short(after)),
            None if waited => format!("{owner} was asked to let go of {key}, and still holds it"),
            None => format!("{owner} was asked to let go of {key}"),
        };
        text::one_line(&line) + "\n"
    };
    asked.iter().map(line).collect()
}
