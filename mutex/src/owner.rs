use std::fmt;

/// Who holds or waits for a lease: for people, never compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Owner {
    /// The process: `host:pid` unless it was named otherwise.
    pub worker: String,
    /// The name of the task, where a task holds it.
    pub task: Option<String>,
    /// The task's id.
    pub id: Option<String>,
}

impl Owner {
    /// A process, and nothing more.
    pub fn worker(worker: impl Into<String>) -> Self {
        Self { worker: worker.into(), task: None, id: None }
    }

    /// A run of a task in that process.
    pub fn task(mut self, name: impl Into<String>, id: impl Into<String>) -> Self {
        self.task = Some(name.into());
        self.id = Some(id.into());
        self
    }

    /// One line of three fields, as stores keep it; the fields lose their tabs.
    pub fn encode(&self) -> String {
        let clean = |text: &str| text.replace('\t', " ");
        let (task, id) = (self.task.as_deref().unwrap_or(""), self.id.as_deref().unwrap_or(""));
        format!("{}\t{}\t{}", clean(&self.worker), clean(task), clean(id))
    }

    /// Reads what [`encode`](Self::encode) wrote; anything else is taken for a worker's name.
    pub fn decode(text: &str) -> Self {
        let mut fields = text.splitn(3, '\t').map(str::to_owned);
        let worker = fields.next().unwrap_or_default();
        let mut filled = || fields.next().filter(|field| !field.is_empty());
        Self { worker, task: filled(), id: filled() }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.task, &self.id) {
            (Some(task), Some(id)) => write!(f, "{task} {id} on {}", self.worker),
            _ => f.write_str(&self.worker),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_survives_encoding() {
        for owner in [
            Owner::worker("host:1"),
            Owner::worker("host:1").task("billing.charge", "4f"),
            Owner::worker("").task("t", ""),
        ] {
            let expected = Owner { id: owner.id.clone().filter(|id| !id.is_empty()), ..owner.clone() };
            assert_eq!(Owner::decode(&owner.encode()), expected);
        }
    }
}
