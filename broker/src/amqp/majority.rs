//! Which quorum queues have no leader, or too few members online to confirm anything, by what the management API says of them.

use std::fmt;

use serde_json::Value;

/// A quorum queue that takes and delivers nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Halted {
    pub(super) has_leader: bool,
    online: usize,
    members: usize,
}

impl Halted {
    /// Looks at a queue's definition; `None` where it works, or where that is not known.
    pub(super) fn of(queue: &Value) -> Option<Self> {
        if queue["type"] != "quorum" {
            return None;
        }
        let (online, members) = (queue["online"].as_array()?, queue["members"].as_array()?);
        // Newer servers name the last leader there was.
        let has_leader = queue["leader"].is_string() && online.contains(&queue["leader"]);
        let (online, members) = (online.len(), members.len());
        (!has_leader || 2 * online <= members).then_some(Self { has_leader, online, members })
    }

    /// Whether a queue has no leader: then its numbers are unknown, and RabbitMQ tells 0 over AMQP.
    pub(super) fn is_leaderless(queue: &Value) -> bool {
        Self::of(queue).is_some_and(|halted| !halted.has_leader)
    }
}

impl fmt::Display for Halted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lack = if self.has_leader { "no majority" } else { "no leader" };
        write!(f, "{lack}, with {} of {} members online: it takes and delivers nothing", self.online, self.members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn queue(leader: Option<&str>, online: &[&str], members: usize) -> Value {
        let members: Vec<_> = (0..members).map(|number| format!("rabbit@{number}")).collect();
        json!({"type": "quorum", "leader": leader, "online": online, "members": members})
    }

    #[test]
    fn a_queue_works_by_a_leader_and_more_than_half_of_its_members() {
        let (a, b, c) = ("rabbit@0", "rabbit@1", "rabbit@2");
        let works = [queue(Some(a), &[a], 1), queue(Some(a), &[a, b], 3), json!({"type": "classic"}), json!({})];
        for works in works {
            assert_eq!(Halted::of(&works), None, "{works}");
        }
        let lacks = [
            (queue(None, &[], 1), false),
            (queue(None, &[a, b], 3), false),
            (queue(Some(c), &[a, b], 3), false),
            (queue(Some(a), &[a], 2), true),
        ];
        for (queue, has_leader) in lacks {
            assert_eq!(Halted::of(&queue).map(|halted| halted.has_leader), Some(has_leader), "{queue}");
            assert_eq!(Halted::is_leaderless(&queue), !has_leader);
        }
        let text = Halted::of(&queue(Some(a), &[a], 3)).unwrap().to_string();
        assert_eq!(text, "no majority, with 1 of 3 members online: it takes and delivers nothing");
    }
}
