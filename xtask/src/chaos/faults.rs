use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use super::{
    admin,
    clock::{nanos, now},
    proxy::Proxy,
    random::Random,
    workers::{Kit, Worker},
};
use crate::services::Redis;

/// The server between which and the workers the faults happen.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) redis: Redis,
    pub(super) port: u16,
    pub(super) proxy: Proxy,
}

/// What befalls whom.
#[derive(Debug)]
pub(super) struct Faults {
    pub(super) random: Random,
    pub(super) log: File,
    pub(super) counts: BTreeMap<&'static str, usize>,
    pub(super) ttl: Duration,
    /// Only the first is stopped, for longer than a ttl, and nothing else happens.
    pub(super) only_stops: bool,
}

/// How long after a disturbance of the server connections may still be made anew.
const AFTERMATH: Duration = Duration::from_secs(1);

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
                let pause = self.random.tenths(self.ttl, 5, 50);
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
        match self.random.below(12) {
            0..3 => {
                self.note("cut", "store", AFTERMATH)?;
                server.proxy.cut();
                Ok(())
            }
            3..6 => {
                let count = self.random.below(3) + 1;
                self.note("lose-replies", "store", AFTERMATH)?;
                server.proxy.lose_replies(count);
                Ok(())
            }
            6 => self.command(server, "client-kill", "CLIENT KILL TYPE normal", AFTERMATH),
            7 => self.command(server, "client-kill-pubsub", "CLIENT KILL TYPE pubsub", AFTERMATH),
            8..10 => self.command(server, "script-flush", "SCRIPT FLUSH", Duration::ZERO),
            10 => {
                let pause = self.random.tenths(self.ttl, 2, 20);
                let command = format!("CLIENT PAUSE {}", pause.as_millis());
                self.command(server, "client-pause", &command, pause + AFTERMATH)
            }
            _ => {
                let away = self.random.tenths(self.ttl, 0, 10);
                // Until the longest ttl is over nobody newly has a mutex.
                self.note("server-kill", "store", away + self.ttl * 2 + AFTERMATH)?;
                server.redis.kill();
                thread::park_timeout(away);
                server.redis.start_again().map_err(io::Error::other)
            }
        }
    }

    fn command(&mut self, server: &Server, kind: &'static str, command: &str, lasts: Duration) -> io::Result<()> {
        self.note(kind, "store", lasts)?;
        admin::say(server.port, command)
    }

    fn note(&mut self, kind: &'static str, to: &str, lasts: Duration) -> io::Result<()> {
        *self.counts.entry(kind).or_default() += 1;
        let at = now();
        writeln!(self.log, "fault {at} {kind} {to} {} .", at + nanos(lasts))
    }
}
