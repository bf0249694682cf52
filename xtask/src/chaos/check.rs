//! What a history must be like.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use super::history::{Event, History, Nanos, What};

/// What was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Findings {
    /// How often a lock was had.
    pub grants: usize,
    /// Writes that the register refused, because of their tokens.
    pub refused: usize,
    /// Looks into the store.
    pub looks: usize,
    /// The longest time from a holder's death until a waiter had its lock.
    pub worst_recovery: Nanos,
    /// How many such times there were.
    pub recoveries: usize,
    /// What must not be.
    pub broken: Vec<String>,
}

/// What the checker must know.
#[derive(Debug, Clone)]
pub struct Expected {
    /// How many leases each lock has.
    pub leases: BTreeMap<String, u32>,
    /// The longest time from a holder's death until a waiter has its lock.
    pub recovery: Nanos,
}

/// One belief: from when its holder had it until it last knew that it had it.
#[derive(Debug, Clone)]
struct Belief<'a> {
    attempt: &'a str,
    key: &'a str,
    weight: u32,
    fence: u64,
    asked: Nanos,
    from: Nanos,
    until: Nanos,
    ended: Option<Nanos>,
}

impl Expected {
    /// Checks a history.
    pub fn check(&self, history: &History) -> Findings {
        let mut findings = Findings::default();
        let beliefs = beliefs(&history.0);
        findings.grants = beliefs.len();
        tokens(&beliefs, &mut findings);
        self.overlaps(&beliefs, &mut findings);
        self.looks(&history.0, &mut findings);
        self.register(&history.0, &mut findings);
        bypasses(&history.0, &beliefs, &mut findings);
        self.recoveries(&history.0, &beliefs, &mut findings);
        findings
    }

    /// The weights of those who believe to hold a lock never exceed it.
    fn overlaps(&self, beliefs: &[Belief<'_>], findings: &mut Findings) {
        for (key, leases) in &self.leases {
            let mut edges = Vec::new();
            for belief in beliefs.iter().filter(|belief| belief.key == key && belief.from < belief.until) {
                edges.push((belief.from, 1, belief));
                edges.push((belief.until, 0, belief));
            }
            // Where one ends at the instant at which another begins, it ends first.
            edges.sort_by_key(|(at, begins, _)| (*at, *begins));
            let mut inside: Vec<&Belief<'_>> = Vec::new();
            for (at, begins, belief) in edges {
                if begins == 0 {
                    inside.retain(|other| other.attempt != belief.attempt);
                    continue;
                }
                inside.push(belief);
                if inside.iter().map(|belief| belief.weight).sum::<u32>() > *leases {
                    let names: Vec<_> = inside.iter().map(|belief| belief.attempt).collect();
                    findings.broken.push(format!("{key}: {} believed to hold it at {at}", names.join(" and ")));
                }
            }
        }
    }

    fn looks(&self, events: &[Event], findings: &mut Findings) {
        for event in events {
            if let What::Seen { key, used, leases, .. } = &event.what {
                findings.looks += 1;
                if used > leases || self.leases.get(key).is_some_and(|expected| used > expected) {
                    findings.broken.push(format!("{key}: the store gave out {used} of {leases} at {}", event.at));
                }
            }
        }
    }

    /// Of a lock of one lease: what the register took never falls.
    fn register(&self, events: &[Event], findings: &mut Findings) {
        let mut last: HashMap<&str, u64> = HashMap::new();
        for event in events {
            let What::Wrote { key, fence, accepted } = &event.what else { continue };
            if !accepted {
                findings.refused += 1;
                continue;
            }
            let highest = last.entry(key).or_default();
            if fence < highest && self.leases.get(key) == Some(&1) {
                findings.broken.push(format!("{key}: the register took {fence} after {highest}"));
            }
            *highest = (*highest).max(*fence);
        }
    }

    /// When a holder dies, one who waits has its lock soon.
    fn recoveries(&self, events: &[Event], beliefs: &[Belief<'_>], findings: &mut Findings) {
        let troubled = |from: Nanos, until: Nanos| {
            events.iter().any(|event| match &event.what {
                // Whoever is stopped has its turn and lets it pass, and a store that is away serves nobody.
                What::Fault { kind, until: over, .. } => kind != "kill" && event.at < until && *over > from,
                _ => false,
            })
        };
        for event in events {
            let What::Fault { kind, to, .. } = &event.what else { continue };
            let at = event.at;
            if kind != "kill" {
                continue;
            }
            for dead in beliefs.iter().filter(|belief| is_of(belief.attempt, to) && belief.ended.is_none()) {
                let next = beliefs
                    .iter()
                    .filter(|belief| belief.key == dead.key && belief.from > at && belief.asked < at)
                    .min_by_key(|belief| belief.from);
                let Some(next) = next.filter(|next| !troubled(at.saturating_sub(self.recovery), next.from)) else {
                    continue;
                };
                let took = next.from - at;
                findings.recoveries += 1;
                findings.worst_recovery = findings.worst_recovery.max(took);
                if took > self.recovery {
                    let millis = took / 1_000_000;
                    findings.broken.push(format!("{}: {} had it {millis} ms after a death", dead.key, next.attempt));
                }
            }
        }
    }
}

fn is_of(attempt: &str, worker: &str) -> bool {
    attempt.rsplit_once('.').is_some_and(|(of, _)| of == worker)
}

fn beliefs(events: &[Event]) -> Vec<Belief<'_>> {
    let mut asked: HashMap<&str, Nanos> = HashMap::new();
    let mut beliefs: Vec<Belief<'_>> = Vec::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    for Event { at, what } in events {
        match what {
            What::Asked { attempt, .. } => {
                asked.insert(attempt, *at);
            }
            What::Got { attempt, key, weight, fence } => {
                index.insert(attempt, beliefs.len());
                let asked = asked.get(attempt.as_str()).copied().unwrap_or(*at);
                let (weight, fence) = (*weight, *fence);
                beliefs.push(Belief { attempt, key, weight, fence, asked, from: *at, until: *at, ended: None });
            }
            What::Held { attempt } => {
                if let Some(belief) = index.get(attempt.as_str()) {
                    beliefs[*belief].until = *at;
                }
            }
            What::Ended { attempt } => {
                if let Some(belief) = index.get(attempt.as_str()) {
                    beliefs[*belief].ended = Some(*at);
                }
            }
            _ => {}
        }
    }
    beliefs
}

/// No token is given out twice, and who asked after another was granted has a higher one.
fn tokens(beliefs: &[Belief<'_>], findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for belief in beliefs {
        if !seen.insert((belief.key, belief.fence)) {
            findings.broken.push(format!("{}: token {} was given out twice", belief.key, belief.fence));
        }
    }
    let mut highest: HashMap<&str, Vec<(Nanos, u64)>> = HashMap::new();
    for belief in beliefs {
        let known = highest.entry(belief.key).or_default();
        // Those are in the order of their instants; the highest token of all that were had before this one asked.
        let before = known.partition_point(|(at, _)| *at < belief.asked);
        if let Some((_, last)) = before.checked_sub(1).map(|at| known[at])
            && last >= belief.fence
        {
            findings
                .broken
                .push(format!("{}: {} has token {}, after {last}", belief.key, belief.attempt, belief.fence));
        }
        let top = known.last().map_or(0, |(_, top)| *top).max(belief.fence);
        known.push((belief.from, top));
    }
}

/// Of two who stood in line, and to whom nothing happened, the first is served first.
fn bypasses(events: &[Event], beliefs: &[Belief<'_>], findings: &mut Findings) {
    let had: HashMap<&str, &Belief<'_>> = beliefs.iter().map(|belief| (belief.attempt, belief)).collect();
    let faults = events.iter().filter_map(|event| match &event.what {
        What::Fault { to, until, .. } => Some((event.at, *until, to.as_str())),
        _ => None,
    });
    let faults: Vec<_> = faults.collect();
    let mut told = BTreeSet::new();
    for event in events {
        let What::Seen { key, waiting, .. } = &event.what else { continue };
        for pair in waiting.windows(2) {
            let [first, second] = pair else { continue };
            let (Some(one), Some(other)) = (had.get(first.as_str()), had.get(second.as_str())) else { continue };
            let spared = !faults.iter().any(|(from, until, to)| {
                (*to == "store" || is_of(first, to)) && *from < one.from.max(other.from) && *until > one.asked
            });
            if spared && one.fence > other.fence && told.insert((first, second)) {
                findings.broken.push(format!("{key}: {second} went past {first}"));
            }
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} grants, {} late writes refused, {} looks into the store",
            self.grants, self.refused, self.looks
        )?;
        let worst = self.worst_recovery / 1_000_000;
        writeln!(f, "{} recoveries from a holder's death, the worst after {worst} ms", self.recoveries)?;
        for broken in self.broken.iter().take(20) {
            writeln!(f, "BROKEN {broken}")?;
        }
        write!(f, "{} claims broken", self.broken.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &str) -> Vec<String> {
        let leases = BTreeMap::from([("m".to_owned(), 1), ("s".to_owned(), 2)]);
        let lines: Vec<_> = lines.lines().map(str::trim).collect();
        let text = format!("{} .", lines.join(" .\n"));
        Expected { leases, recovery: 1000 }.check(&History::parse(&text)).broken
    }

    const FIRST: &str = "asked 1 a.1 m\n got 2 a.1 m 1 10\n held 5 a.1\n";

    #[test]
    fn those_who_take_turns_are_fine() {
        let turns = "asked 3 b.1 m\n ended 6 a.1\n got 7 b.1 m 1 11\n held 9 b.1\n ended 9 b.1";
        assert_eq!(check(&format!("{FIRST}{turns}")), Vec::<String>::new());
    }

    #[test]
    fn two_who_believe_to_hold_a_mutex_are_found() {
        let broken = check(&format!("{FIRST}asked 3 b.1 m\n got 4 b.1 m 1 11\n held 9 b.1"));
        assert!(broken.len() == 1 && broken[0].contains("a.1 and b.1"), "{broken:?}");
    }

    #[test]
    fn weights_are_summed() {
        let both = "asked 1 a.1 s\n got 2 a.1 s 1 10\n held 9 a.1\n asked 1 b.1 s\n got 3 b.1 s 1 11\n held 9 b.1\n";
        assert_eq!(check(both), Vec::<String>::new());
        assert_eq!(check(&both.replace("b.1 s 1", "b.1 s 2")).len(), 1);
    }

    #[test]
    fn a_token_that_is_repeated_or_falls_is_found() {
        assert_eq!(check(&format!("{FIRST}asked 6 b.1 m\n got 7 b.1 m 1 10")).len(), 2);
        assert_eq!(check(&format!("{FIRST}asked 6 b.1 m\n got 7 b.1 m 1 9")).len(), 1);
        // One that waited before the other was granted may hear of it later.
        assert_eq!(check(&format!("{FIRST}asked 1 b.1 m\n got 7 b.1 m 1 9")).len(), 0);
    }

    #[test]
    fn a_store_that_gives_out_too_much_is_found() {
        assert_eq!(check("seen 1 s 2 2").len(), 0);
        assert_eq!(check("seen 1 s 3 2").len(), 1);
    }

    #[test]
    fn a_register_that_takes_an_old_token_is_found() {
        assert_eq!(check("wrote 1 m 5 1\n wrote 2 m 4 0\n wrote 3 m 5 1").len(), 0);
        assert_eq!(check("wrote 1 m 5 1\n wrote 2 m 4 1").len(), 1);
    }

    #[test]
    fn one_who_goes_past_another_is_found_unless_something_happened_to_that_one() {
        let past = "asked 1 a.1 m\n asked 2 b.1 m\n seen 3 m 1 1 a.1 b.1\n got 4 b.1 m 1 10\n got 5 a.1 m 1 11\n";
        assert_eq!(check(past).len(), 1);
        assert_eq!(check(&format!("{past}fault 3 stop a 4")).len(), 0);
        assert_eq!(check(&format!("{past}fault 3 stop b 4")).len(), 1);
    }

    #[test]
    fn a_lock_that_stays_taken_after_a_death_is_found() {
        let death = format!("{FIRST}asked 4 b.1 m\n fault 6 kill a 6\n");
        assert_eq!(check(&format!("{death}got 900 b.1 m 1 11")).len(), 0);
        assert_eq!(check(&format!("{death}got 1100 b.1 m 1 11")).len(), 1);
    }

    #[test]
    fn a_line_that_is_not_complete_is_left_out() {
        assert_eq!(History::parse("held 5 a.1 .\nheld 6 a.\nhe").0.len(), 1);
    }
}
