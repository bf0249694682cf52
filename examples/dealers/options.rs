//! What can be said on the command line.

use std::env;

#[derive(Debug)]
pub(crate) struct Options {
    /// Feed files, over all dealers.
    pub(crate) feeds: u64,
    /// Vehicles in each.
    pub(crate) vehicles: u64,
    /// One more feed, of 1 GB.
    pub(crate) big: bool,
    pub(crate) seed: u64,
    /// What restarts the broker, for `sh -c`.
    pub(crate) restart_broker: Option<String>,
    /// The report as JSON.
    pub(crate) json: bool,
}

impl Options {
    pub(crate) fn read() -> Result<Self, String> {
        let mut options = Self { feeds: 300, vehicles: 50, big: false, seed: 1, restart_broker: None, json: false };
        let mut words = env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
            match word.as_str() {
                "--big" => options.big = true,
                "--json" => options.json = true,
                "--feeds" => options.feeds = number(value()?)?,
                "--vehicles" => options.vehicles = number(value()?)?,
                "--seed" => options.seed = number(value()?)?,
                "--restart-broker" => options.restart_broker = Some(value()?),
                _ => {
                    return Err(format!(
                        "{word}? There are --big, --feeds N, --vehicles N, --seed N, --restart-broker COMMAND and --json"
                    ));
                }
            }
        }
        Ok(options)
    }
}
