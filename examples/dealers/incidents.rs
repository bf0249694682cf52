//! What goes wrong in the night.

use std::collections::HashMap;

use celeriac::{
    LockKey,
    mutex::store::{Holder, LeaseId},
};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::{
    crew::{Crew, TTL},
    journal::now,
    night::{GLANCE, Night, Result},
    report::{Killed, Restart},
};

impl Night {
    /// Changes how many calls at once a dealer bears: in its server, and in the semaphore that all workers share.
    pub(crate) async fn resize(&self, dealer: &str, leases: u32) -> Result<()> {
        let key = limit_of(dealer)?;
        let server = self.dealers.iter().find(|server| server.name == dealer).ok_or("there is no such dealer")?;
        let grows = server.allowed() < leases;
        if grows {
            server.allow(leases);
        }
        self.locks.resize(&key, Some(leases)).await?;
        if !grows {
            // Nobody's lease is taken away: those beyond the new number end with their runs.
            while self.locks.inspect(&key).await?.is_some_and(|lock| lock.used > leases) && !self.is_over() {
                sleep(GLANCE).await;
            }
            server.allow(leases);
        }
        self.tell(&format!("{dealer} bears {leases} calls at once from now on"));
        Ok(())
    }

    /// What was resized stays so until somebody says otherwise: back to what the tasks say.
    pub(crate) async fn usual_limits(&self) -> Result<()> {
        for dealer in &self.dealers {
            self.locks.resize(&limit_of(&dealer.name)?, None).await?;
        }
        Ok(())
    }

    /// Kills the worker that holds most, and waits until its leases are others' to have.
    pub(crate) async fn kill_a_holder(&mut self, crew: &mut Crew) -> Result<()> {
        let (pid, held) = loop {
            let holders = self.holders().await?.into_iter().filter(|(pid, _)| crew.pids().contains(pid));
            match holders.max_by_key(|(_, held)| held.len()) {
                Some(found) => break found,
                None if self.is_over() => return Ok(()),
                None => sleep(GLANCE).await,
            }
        };
        crew.kill(pid).await?;
        let (killed, killed_at) = (Instant::now(), now());
        self.tell(&format!("worker {pid} is killed; it held {} leases", held.len()));
        let mut free_after = None;
        while free_after.is_none() && !self.is_over() {
            if self.are_free(&held).await? {
                free_after = Some(killed.elapsed());
                self.tell("its leases are free");
            }
            sleep(GLANCE).await;
        }
        let tasks = held.into_iter().filter_map(|(_, holder)| holder.owner.id).collect();
        self.killed = Some(Killed { at: killed_at, tasks, ttl: TTL, free_after });
        Ok(())
    }

    /// What each process holds.
    async fn holders(&self) -> Result<HashMap<u32, Vec<(LockKey, Holder)>>> {
        let mut holders: HashMap<u32, Vec<_>> = HashMap::new();
        for lock in self.locks.list(100).await? {
            let state = self.locks.inspect(&lock.key).await?;
            for holder in state.into_iter().flat_map(|state| state.holders) {
                // A worker is shown as host:pid.
                let pid = holder.owner.worker.rsplit(':').next().and_then(|pid| pid.parse().ok());
                if let Some(pid) = pid {
                    holders.entry(pid).or_default().push((lock.key.clone(), holder));
                }
            }
        }
        Ok(holders)
    }

    async fn are_free(&self, held: &[(LockKey, Holder)]) -> Result<bool> {
        for (key, gone) in held {
            let state = self.locks.inspect(key).await?;
            let is_gone = |lease: &LeaseId| *lease == gone.lease;
            if state.is_some_and(|state| state.holders.iter().any(|holder| is_gone(&holder.lease))) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Restarts the broker, where there is one to restart and somebody has said how.
    pub(crate) async fn restart_broker(&mut self) -> Result<()> {
        let Some(command) = &self.options.restart_broker else {
            self.tell(match self.broker.transport().capabilities().name {
                "sqlite" => "the broker is a file: there is nothing to restart",
                _ => "the broker goes on: --restart-broker would say how to restart it",
            });
            return Ok(());
        };
        self.tell(&format!("the broker restarts: {command}"));
        let began = Instant::now();
        let status = Command::new("sh").args(["-c", command]).kill_on_drop(true).status().await?;
        if !status.success() {
            return Err(format!("{command}: {status}").into());
        }
        let (took, done) = (began.elapsed(), self.done()?.len());
        while self.done()?.len() == done && !self.is_over() {
            sleep(GLANCE).await;
        }
        let work_after = began.elapsed().saturating_sub(took);
        self.restart = Some(Restart { took, work_after });
        self.tell("the broker is there again, and so is the work");
        Ok(())
    }

    /// Waits until nothing is left that could run again.
    pub(crate) async fn settled(&self) -> Result<()> {
        for queue in crate::night::QUEUES {
            let queue = self.broker.queue(queue)?.name;
            while !self.is_over() {
                // A broker that has just come back may not answer.
                if let Ok(left) = self.broker.transport().queue(&queue).await {
                    let left = left.map(|left| [left.ready, left.delayed, left.running].into_iter().flatten().sum());
                    if left.unwrap_or(0) == 0_u64 {
                        break;
                    }
                }
                sleep(GLANCE).await;
            }
        }
        Ok(())
    }
}

/// The semaphore that the tasks name for a dealer.
fn limit_of(dealer: &str) -> Result<LockKey> {
    Ok(format!("semaphore:dms:{dealer}").parse()?)
}
