use std::time::Duration;

use super::{Line, Lock, News, World};
use crate::store::{LeaseId, ProcessId};

impl Lock {
    /// Sets how many leases there are; `None` lets the next asker say.
    pub fn resize<L: Line>(
        &mut self,
        line: &mut L,
        world: &mut impl World,
        leases: Option<u32>,
    ) -> Result<(), L::Error> {
        self.resized = leases.is_some();
        self.leases = leases;
        self.reap(world);
        self.pump(line, world)
    }

    /// Takes their leases from those that have ended or died, and hands them on.
    pub fn sweep<L: Line>(&mut self, line: &mut L, world: &mut impl World) -> Result<(), L::Error> {
        self.reap(world);
        self.pump(line, world)
    }

    /// Asks a holder to let go.
    pub fn revoke(&mut self, world: &mut impl World, lease: &LeaseId) -> bool {
        self.reap(world);
        let Some(held) = self.held(lease) else { return false };
        held.revoked = true;
        let process = held.process.clone();
        look_now(world, &process, lease);
        true
    }

    /// Takes a lease from its holder.
    pub fn force_release<L: Line>(
        &mut self,
        line: &mut L,
        world: &mut impl World,
        lease: &LeaseId,
    ) -> Result<bool, L::Error> {
        self.reap(world);
        let Some(at) = self.holders.iter().position(|held| held.lease == *lease) else { return Ok(false) };
        let held = self.holders.remove(at);
        // Its token is dead, even where nobody acquires the lock again.
        self.fence = self.next_fence(world.now());
        self.reassert_until = None;
        look_now(world, &held.process, lease);
        self.pump(line, world)?;
        Ok(true)
    }
}

/// The holder renews at once, and so learns of it.
fn look_now(world: &mut impl World, process: &ProcessId, lease: &LeaseId) {
    world.tell(process, News::Look(lease.clone(), Duration::ZERO));
}
