//! What can keep a worker from running.

/// What can keep a worker from running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The broker can't be used.
    #[error("the worker can't use its broker")]
    Broker(#[from] celeriac_broker::Error),

    /// Two tasks have one name.
    #[error("two tasks are named {name}; a name or an alias belongs to one task")]
    DuplicateTask {
        /// The name.
        name: String,
    },

    /// A task is registered and no pool runs its queue.
    #[error(
        "the task {task} is published to the queue {queue}, and no pool runs that queue; add .pool(\"{queue}\", Pool::new(n))"
    )]
    NoPool {
        /// The task.
        task: String,
        /// Its queue.
        queue: String,
    },

    /// A task holds locks, and there is no place for leases.
    #[error(
        "the task {task} holds locks, and this worker has no place for leases; set {variable}, or add .locks_url(\"redis://host\")",
        variable = crate::leases::VARIABLE
    )]
    NoLocks {
        /// The task.
        task: String,
    },

    /// A setting that can't be.
    #[error("{setting}: {fault}")]
    Config {
        /// The setting.
        setting: String,
        /// What is wrong, and what would be right.
        fault: String,
    },

    /// The state could not be built.
    #[error("the worker's state could not be built: {0}")]
    State(String),

    /// The operating system refused a thread, a runtime or a signal handler.
    #[error("the operating system refused {what}")]
    System {
        /// What was asked.
        what: &'static str,
        /// What it said.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn config(setting: impl Into<String>, fault: impl Into<String>) -> Self {
        Self::Config { setting: setting.into(), fault: fault.into() }
    }
}
