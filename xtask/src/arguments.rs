use crate::Failure;
use crate::parts::{Part, Parts};

/// The words after the command.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    /// What `--without` names.
    pub(crate) without: Parts,
    /// Words that are no option, and `--quick`, before a `--`.
    pub(crate) words: Vec<String>,
    /// Everything after `--`.
    pub(crate) rest: Vec<String>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut parsed = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--" => parsed.rest.extend(words.by_ref()),
                "--without" => {
                    let names = words.next().ok_or_else(|| Failure::Usage("--without what?".to_owned()))?;
                    for name in names.split(',') {
                        parsed.without.add(name.parse::<Part>()?);
                    }
                }
                "--quick" => parsed.words.push(word),
                option if option.starts_with('-') => {
                    return Err(Failure::Usage(format!("there is no option `{option}`")));
                }
                _ => parsed.words.push(word),
            }
        }
        Ok(parsed)
    }

    /// Refuses words where a command takes none.
    pub(crate) fn no_words(&self) -> Result<(), Failure> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(Failure::Usage(format!("what is `{word}`? Arguments for nextest stand after `--`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, Failure> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn parts_are_left_out_one_by_one_or_in_a_list() {
        let both = parse("--without amqp,redis").unwrap();
        assert_eq!(both, parse("--without redis --without amqp").unwrap());
        assert!(!both.without.has(Part::Jdupes));
    }

    #[test]
    fn leaving_out_amqp_leaves_out_celery_which_needs_it() {
        assert!(parse("--without amqp").unwrap().without.has(Part::Celery));
    }

    #[test]
    fn what_follows_two_dashes_is_handed_on_as_it_is() {
        let parsed = parse("--without redis -- --without x -- y").unwrap();
        assert_eq!(parsed.rest, ["--without", "x", "--", "y"]);
    }

    #[test]
    fn an_unknown_part_or_option_is_refused_by_name() {
        assert!(parse("--without mysql").unwrap_err().to_string().contains("mysql"));
        assert!(parse("--fast").unwrap_err().to_string().contains("--fast"));
        assert!(parse("--without").is_err());
    }
}
