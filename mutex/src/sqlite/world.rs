use super::household::Household;
use crate::{
    rules::{Micros, News, World},
    store::ProcessId,
};

/// What one operation knows of the world, and whom it has told what.
pub(super) struct Local<'w> {
    pub(super) now: Micros,
    pub(super) grace_until: Option<Micros>,
    pub(super) household: &'w Household,
    pub(super) told: Vec<(ProcessId, News)>,
}

impl World for Local<'_> {
    fn now(&self) -> Micros {
        self.now
    }

    fn expiring(&self) -> bool {
        false
    }

    fn is_dead(&self, process: &ProcessId) -> bool {
        self.household.is_dead(process)
    }

    fn grace_until(&self) -> Option<Micros> {
        self.grace_until
    }

    fn tell(&mut self, process: &ProcessId, news: News) -> bool {
        if self.household.is_deaf(process) {
            return false;
        }
        self.told.push((process.clone(), news));
        true
    }
}
