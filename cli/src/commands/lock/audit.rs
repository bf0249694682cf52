//! What an operator did to somebody's lock, in the log.

use std::path::Path;

use celeriac_mutex::{LockKey, store::Holder};
use tracing::warn;

use crate::text;

/// Logs what was done to one holder.
pub(super) fn log(done: &str, key: &LockKey, holder: &Holder, by: &str, reason: Option<&str>) {
    warn!(
        target: "celeriac_cli::audit",
        lock = text::one_line(&key.to_string()),
        lease = %holder.lease,
        holder = text::one_line(&holder.owner.to_string()),
        fencing_token = holder.fence.get(),
        by,
        reason = reason.map(text::one_line),
        "{done}"
    );
}

/// `user@host`; with the one who called sudo in front.
pub(super) fn operator() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let uid = rustix::process::getuid().as_raw();
    let named = std::fs::read_to_string(Path::new("/etc/passwd")).ok().and_then(|users| name(&users, uid));
    let user = named.unwrap_or_else(|| format!("uid {uid}"));
    match std::env::var("SUDO_USER") {
        Ok(caller) if !caller.is_empty() && caller != user => format!("{caller} as {user}@{host}"),
        _ => format!("{user}@{host}"),
    }
}

/// The name of a user in the text of `/etc/passwd`. Not `$USER`, which anybody may set.
fn name(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_known_by_the_number_and_not_by_the_name_of_a_group() {
        let users = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:0::/home/anna:/bin/sh\n";
        assert_eq!(name(users, 1000).as_deref(), Some("anna"));
        assert_eq!(name(users, 0).as_deref(), Some("root"));
        assert_eq!(name(users, 7), None);
    }
}
