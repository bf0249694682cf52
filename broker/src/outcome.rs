//! What became of a delivery or a publish, and why: closed sets, shared by headers, logs and metrics.

use std::fmt;

macro_rules! closed_set {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every member, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The member as it is written in headers, logs and labels.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The member of that name.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

closed_set! {
    /// What became of one delivery.
    Outcome {
        /// It ran to its end.
        Succeeded = "succeeded",
        /// The attempt failed and another one is waiting at the broker.
        Retried = "retried",
        /// It was given back without an attempt being counted.
        Deferred = "deferred",
        /// No attempt is left, or none would help: a dead letter.
        Failed = "failed",
        /// It could not be run at all: a dead letter.
        Rejected = "rejected",
        /// It was no longer worth running.
        Expired = "expired",
        /// Somebody asked that it not be run.
        Revoked = "revoked",
        /// There was nothing left to do.
        Skipped = "skipped",
    }
}

closed_set! {
    /// Why an outcome is what it is.
    Reason {
        /// Nothing to explain.
        Done = "done",
        /// The handler returned an error.
        Error = "error",
        /// The handler returned an error that no other attempt can mend.
        Permanent = "permanent",
        /// The handler panicked.
        Panic = "panic",
        /// The handler stopped because its soft limit had passed.
        SoftLimit = "soft_limit",
        /// The hard limit passed and the run was stopped.
        HardLimit = "hard_limit",
        /// The hard limit passed and the handler still held its thread.
        Stuck = "stuck",
        /// The total time allowed from publishing was over.
        Deadline = "deadline",
        /// A lease was lost while it ran.
        LeaseLost = "lease_lost",
        /// An operator asked that its lease be let go, and it stopped.
        LeaseRevoked = "lease_revoked",
        /// A lock was held by another.
        Busy = "busy",
        /// A rate limit allows it later.
        RateLimited = "rate_limited",
        /// The store for locks did not answer.
        LocksUnavailable = "locks_unavailable",
        /// It must hold a lock, and this worker has no store for locks.
        NoLocks = "no_locks",
        /// Too many workers died with it.
        Poison = "poison",
        /// No handler of that name.
        UnknownTask = "unknown_task",
        /// The body, its content type or a header could not be read.
        Undecodable = "undecodable",
        /// An argument is missing, unknown, doubled or of the wrong type.
        BadArguments = "bad_arguments",
        /// The message is larger than the worker takes.
        TooLarge = "too_large",
        /// The worker is stopping.
        Shutdown = "shutdown",
        /// Its check, before the run, said so.
        Check = "check",
        /// Its handler asked to be run later.
        Postponed = "postponed",
        /// Its time has not come.
        NotYet = "not_yet",
        /// Its `expires` has passed.
        Expired = "expired",
        /// The broker buried it, by its own limit.
        Broker = "broker",
    }
}

closed_set! {
    /// Why a publish failed.
    PublishFault {
        /// No address of the broker answered.
        Unreachable = "unreachable",
        /// The broker does not let us.
        Refused = "refused",
        /// The broker takes no messages for now.
        Blocked = "blocked",
        /// It was sent, and its confirmation did not come.
        Unconfirmed = "unconfirmed",
        /// The broker has no such queue.
        Unroutable = "unroutable",
        /// The broker said no to this message.
        Nacked = "nacked",
        /// It is larger than `max_message_bytes`.
        TooLarge = "too_large",
        /// The store failed: the disk, for one.
        Store = "store",
        /// Anything else.
        Other = "other",
    }
}
