use tokio::sync::oneshot;

use super::{fault::Fault, shared::Queued, transaction::Transaction};
use crate::store::LeaseId;

/// One question to the file, and who waits for the answer.
pub(super) trait Job: Send {
    /// Asks it, in a transaction. Not where it makes no sense any more, as nobody waits.
    fn run(&mut self, transaction: &mut Transaction<'_, '_, '_>) -> Result<(), Fault>;
    /// Answers, when the transaction is committed or has failed.
    fn finish(self: Box<Self>, result: Result<(), &Fault>);
    /// What sets it apart.
    fn kind(&self) -> &Kind;
}

pub(super) type Jobs = Vec<Box<dyn Job>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is not done once nobody waits for its answer.
    Question,
    /// It must be done, sooner or later: this lease is given back.
    Release(String, LeaseId),
    /// It outlives a power cut.
    Setting,
    /// It changes nothing.
    Read,
}

/// A job from a closure.
pub(super) struct Work<F, T> {
    kind: Kind,
    act: Option<F>,
    done: Option<T>,
    answer: oneshot::Sender<Result<T, Fault>>,
    queued: Queued,
}

impl<F, T> Work<F, T> {
    pub(super) fn new(kind: Kind, act: F, queued: Queued) -> (Self, oneshot::Receiver<Result<T, Fault>>) {
        let (answer, result) = oneshot::channel();
        (Self { kind, act: Some(act), done: None, answer, queued }, result)
    }
}

impl<F, T> Job for Work<F, T>
where
    F: FnOnce(&mut Transaction<'_, '_, '_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn run(&mut self, transaction: &mut Transaction<'_, '_, '_>) -> Result<(), Fault> {
        if self.kind == Kind::Question && self.answer.is_closed() {
            return Ok(());
        }
        if let Some(act) = self.act.take() {
            self.done = Some(act(transaction)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, result: Result<(), &Fault>) {
        let answer = match (result, self.done) {
            (Ok(()), Some(done)) => Ok(done),
            (Ok(()), None) => return,
            (Err(fault), _) => Err(fault.clone()),
        };
        // First: whoever gets the answer may ask at once.
        drop(self.queued);
        // Whoever asked may have gone.
        let _ = self.answer.send(answer);
    }

    fn kind(&self) -> &Kind {
        &self.kind
    }
}
