//! `cargo xtask chaos locks`

use std::time::Duration;

use xtask::{
    chaos::{self, Memory, Options, Store},
    services::target_directory,
};

use crate::{Failure, foreground::run_well, test::cargo};

const STORES: [(&str, Store); 5] = [
    ("redis", Store::Redis { memory: Memory::None }),
    ("redis-rdb", Store::Redis { memory: Memory::Snapshots }),
    ("redis-aof", Store::Redis { memory: Memory::All }),
    ("redis-sentinel", Store::Sentinel),
    ("sqlite", Store::Sqlite),
];

/// What stands after `chaos`.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    lasts: Duration,
    seed: u64,
    stores: Vec<(&'static str, Store)>,
    careless: bool,
}

impl Wanted {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        if words.next().as_deref() != Some("locks") {
            return Err(Failure::Usage("chaos among what? `locks` is what there is".to_owned()));
        }
        let mut wanted = Self { lasts: Duration::from_secs(60), seed: 1, stores: STORES.to_vec(), careless: false };
        while let Some(word) = words.next() {
            let mut number = || {
                let number = words.next().and_then(|text| text.parse::<u64>().ok());
                number.ok_or_else(|| Failure::Usage(format!("{word} needs a number")))
            };
            match word.as_str() {
                "--minutes" => wanted.lasts = Duration::from_secs(number()? * 60),
                "--seconds" => wanted.lasts = Duration::from_secs(number()?),
                "--seed" => wanted.seed = number()?,
                "--careless" => wanted.careless = true,
                "--store" => {
                    let name = words.next().unwrap_or_default();
                    wanted.stores.retain(|(known, _)| *known == name);
                    if wanted.stores.is_empty() {
                        return Err(Failure::Usage(format!(
                            "`{name}` is no store that processes share: redis, redis-rdb, redis-aof, redis-sentinel or sqlite"
                        )));
                    }
                }
                other => return Err(Failure::Usage(format!("what is `{other}`?"))),
            }
        }
        Ok(wanted)
    }
}

/// Runs worker processes under faults, and says whether their leases kept what they promise.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<(), Failure> {
    let wanted = Wanted::parse(words)?;
    let features =
        ["build", "-p", "celeriac-mutex", "--example", "chaos_worker", "--features", "redis-sentinel,sqlite"];
    run_well(&mut cargo(&features))?;
    let program = target_directory().join("debug/examples/chaos_worker");
    let mut broken = 0;
    for (name, store) in wanted.stores {
        println!("{name}, seed {}, {} s:", wanted.seed, wanted.lasts.as_secs());
        let options = Options {
            store,
            seed: wanted.seed,
            lasts: wanted.lasts,
            workers: 5,
            careless: wanted.careless,
            program: program.clone(),
        };
        let report = chaos::run(&options)?;
        println!("{report}\n");
        broken += report.findings.broken.len();
    }
    if broken > 0 { Err(Failure::Failed(format!("{broken} claims do not hold"))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Wanted, Failure> {
        Wanted::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_run_is_described_by_its_time_its_seed_and_its_store() {
        let wanted = parse("locks --minutes 2 --seed 7 --store sqlite").unwrap();
        assert_eq!((wanted.lasts, wanted.seed), (Duration::from_secs(120), 7));
        assert_eq!(wanted.stores, [("sqlite", Store::Sqlite)]);
        assert_eq!(parse("locks").unwrap().stores.len(), STORES.len());
    }

    #[test]
    fn a_store_that_processes_do_not_share_is_refused() {
        assert!(parse("locks --store memory").unwrap_err().to_string().contains("redis-sentinel or sqlite"));
        assert!(parse("queues").is_err());
    }
}
