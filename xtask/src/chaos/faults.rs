use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use super::{
    Nanos, admin,
    clock::{nanos, now},
    group::Group,
    proxy::Proxy,
    random::Random,
    server::Server,
    workers::{Kit, Worker},
};
use crate::services::Redis;

/// What befalls whom.
#[derive(Debug)]
pub(super) struct Faults {
    pub(super) random: Random,
    pub(super) log: File,
    pub(super) counts: BTreeMap<&'static str, usize>,
    pub(super) ttl: Duration,
    /// How long a worker is stopped, at most.
    pub(super) longest_stop: Duration,
    /// Only the first is stopped, for longer than a ttl, and nothing else happens.
    pub(super) only_stops: bool,
}

/// How long after a disturbance of the server connections may still be made anew.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How long after a failover those who look for the new primary, less and less often, may still not have found it.
const FOUND_AGAIN: Duration = Duration::from_secs(3);
/// How long after its connection was cut a replica may still be without one: it looks once a second.
const REPLICA_BACK: Duration = Duration::from_secs(3);
/// For how long a primary goes on without its replica before it is killed, at most.
const BEHIND: Duration = Duration::from_millis(900);

impl Faults {
    /// One fault. Where it is `calm`, holders die and nothing else happens, so that their locks' recovery can be measured.
    pub(super) fn strike(
        &mut self,
        kit: &Kit,
        workers: &mut [Worker],
        server: Option<&mut Server>,
        calm: bool,
    ) -> io::Result<()> {
        let victim = if self.only_stops { 0 } else { self.random.below(workers.len()) };
        let victim = &mut workers[victim];
        if self.only_stops {
            let pause = self.random.tenths(self.ttl, 15, 30);
            return if victim.is_stopped() || !kit.holds(victim) { Ok(()) } else { self.stop(victim, pause) };
        }
        let kinds = match (calm, &server) {
            (true, _) => 1,
            (false, None) => 4,
            (false, Some(_)) => 12,
        };
        match (self.random.below(kinds), server) {
            (0, _) if !victim.is_stopped() => {
                self.note("kill", &victim.name(), Duration::ZERO)?;
                victim.replace(kit)
            }
            (1..4, _) if !victim.is_stopped() => {
                let pause = self.random.tenths(self.longest_stop, 1, 11);
                self.stop(victim, pause)
            }
            (_, Some(server)) => self.disturb(server),
            _ => Ok(()),
        }
    }

    fn stop(&mut self, victim: &mut Worker, pause: Duration) -> io::Result<()> {
        self.note("stop", &victim.name(), pause)?;
        victim.stop(Instant::now() + pause);
        Ok(())
    }

    fn disturb(&mut self, server: &mut Server) -> io::Result<()> {
        let kind = self.random.below(12);
        match (kind, &mut *server) {
            (0..6 | 11.., Server::Alone { redis, proxy }) => self.disturb_one(kind, redis, proxy),
            (_, Server::Watched(group)) if !group.is_whole() => Ok(()),
            // However short the run, there is one.
            (_, Server::Watched(group)) if !self.counts.contains_key("failover") => self.disturb_group(11, group),
            (0..6 | 11.., Server::Watched(group)) => self.disturb_group(kind, group),
            (6, _) => self.command(server, "client-kill", "CLIENT KILL TYPE normal", AFTERMATH),
            (7, _) => self.command(server, "client-kill-pubsub", "CLIENT KILL TYPE pubsub", AFTERMATH),
            (8..10, _) => self.command(server, "script-flush", "SCRIPT FLUSH", Duration::ZERO),
            (10, _) => {
                let pause = self.random.tenths(self.ttl, 2, 20);
                // A sentinel is a client as well, and would take the server for dead.
                let of = if matches!(server, Server::Watched(_)) { " WRITE" } else { "" };
                let command = format!("CLIENT PAUSE {}{of}", pause.as_millis());
                self.command(server, "client-pause", &command, pause + AFTERMATH)
            }
        }
    }

    fn disturb_one(&mut self, kind: usize, redis: &mut Redis, proxy: &Proxy) -> io::Result<()> {
        match kind {
            0..3 => {
                self.note("cut", "store", AFTERMATH)?;
                proxy.cut();
                Ok(())
            }
            3..6 => {
                let count = self.random.below(3) + 1;
                self.note("lose-replies", "store", AFTERMATH)?;
                proxy.lose_replies(count);
                Ok(())
            }
            _ => {
                let away = self.random.tenths(self.ttl, 0, 10);
                // Until the longest ttl is over nobody newly has a mutex.
                self.note("server-kill", "store", away + self.ttl * 2 + AFTERMATH)?;
                redis.kill();
                thread::park_timeout(away);
                redis.start_again().map_err(io::Error::other)
            }
        }
    }

    fn disturb_group(&mut self, kind: usize, group: &mut Group) -> io::Result<()> {
        if kind < 4 {
            self.note("replica-cut", "store", REPLICA_BACK)?;
            admin::ask(group.primary(), "CLIENT KILL TYPE replica")?;
        }
        match kind {
            0..2 => {
                // What is written before the replica has connected again is what this failover loses.
                thread::park_timeout(self.random.tenths(BEHIND, 0, 10));
                group.fail_over();
            }
            2..4 => {}
            _ => group.fail_over(),
        }
        Ok(())
    }

    /// Does what is due after a failover, and notes it when it is over.
    pub(super) fn tend(&mut self, server: Option<&mut Server>) -> io::Result<()> {
        match server.map(Server::tend).transpose()?.flatten() {
            Some(since) => self.note_from("failover", "store", since, now() + nanos(FOUND_AGAIN)),
            None => Ok(()),
        }
    }

    fn command(&mut self, server: &Server, kind: &'static str, command: &str, lasts: Duration) -> io::Result<()> {
        self.note(kind, "store", lasts)?;
        server.say(command)
    }

    fn note(&mut self, kind: &'static str, to: &str, lasts: Duration) -> io::Result<()> {
        let at = now();
        self.note_from(kind, to, at, at + nanos(lasts))
    }

    fn note_from(&mut self, kind: &'static str, to: &str, at: Nanos, until: Nanos) -> io::Result<()> {
        *self.counts.entry(kind).or_default() += 1;
        writeln!(self.log, "fault {at} {kind} {to} {until} .")
    }
}
