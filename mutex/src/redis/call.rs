//! Calling scripts: by digest, by text where the server has forgotten it, and again where the connection was lost.

use std::{pin::pin, sync::Arc, time::Duration};

use deadpool_redis::redis::{Cmd, Pipeline, RedisResult, Value, cmd};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    failure::{Failure, ends_connection},
    link::{Link, Live},
    options::RedisOptions,
    script::{Script, Scripts},
};
use crate::rules::Micros;

/// One call of a script.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) script: Script,
    pub(super) keys: Vec<String>,
    pub(super) arguments: Vec<Argument<'a>>,
}

/// What a script is given.
#[derive(Debug)]
pub(super) enum Argument<'a> {
    Text(&'a str),
    Owned(String),
    Number(u64),
    /// Until when the server keeps back what it does not know, which is known once it has been reached.
    Grace,
}

impl<'a> From<&'a str> for Argument<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Argument<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

impl From<u64> for Argument<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Argument<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl Call<'_> {
    fn command(&self, by: &str, script: &str, grace: Micros) -> Cmd {
        let mut command = cmd(by);
        command.arg(script).arg(self.keys.len()).arg(&self.keys);
        for argument in &self.arguments {
            match argument {
                Argument::Text(text) => command.arg(*text),
                Argument::Owned(text) => command.arg(text),
                Argument::Number(number) => command.arg(*number),
                Argument::Grace => command.arg(grace),
            };
        }
        command
    }
}

/// What is needed to call.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    pub(super) link: Arc<Link>,
    pub(super) scripts: &'a Scripts,
    pub(super) options: &'a RedisOptions,
}

/// How late a runtime is that stood still, rather than the server; and for how long its connection is then given the time to be read.
const STOOD_STILL: Duration = Duration::from_millis(50);

impl Caller<'_> {
    /// Sends calls in one round trip, and commands behind them if there are any; gives an answer to each.
    ///
    /// Where the connection is lost on the way, all goes again over another one, which scripts bear: they may be repeated.
    pub(super) async fn send(&self, calls: &[Call<'_>], then: &[Cmd]) -> Result<Vec<Value>, Failure> {
        let bound = self.options.response_timeout;
        let deadline = Instant::now() + bound;
        let mut again = true;
        loop {
            let live = self.link.live(deadline).await?;
            let given_up = GivenUp(Some(&self.link));
            let mut exchange = pin!(self.exchange(&live, calls, then));
            let mut answers = timeout_at(deadline, exchange.as_mut()).await;
            if answers.is_err() && deadline.elapsed() >= STOOD_STILL {
                // Nobody ran this future in time, so perhaps nobody ran its connection: the answer may lie there.
                answers = timeout(STOOD_STILL, exchange).await;
            }
            given_up.disarm();
            match answers {
                Ok(Ok(answers)) => return Ok(answers),
                Ok(Err(error)) => {
                    if ends_connection(&error) {
                        self.link.is_broken(&live);
                        if error.is_connection_dropped() && std::mem::take(&mut again) {
                            continue;
                        }
                    }
                    return Err(Failure::from(error));
                }
                Err(_) => {
                    // Perhaps nobody is at the other end any more.
                    self.link.is_broken(&live);
                    return Err(Failure::Unavailable(format!("no answer within {bound:?}")));
                }
            }
        }
    }

    /// One call, and the answer to it.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Value, Failure> {
        let values = self.send(&[call], &[]).await?;
        values.into_iter().next().ok_or_else(|| Failure::strange("nothing"))
    }

    async fn exchange(&self, live: &Live, calls: &[Call<'_>], then: &[Cmd]) -> RedisResult<Vec<Value>> {
        let grace = live.facts.grace();
        let digests = calls.iter().map(|call| call.command("EVALSHA", &live.digests[call.script as usize], grace));
        let mut values = speak(live, digests.chain(then.iter().cloned()).collect()).await?;
        // The server has forgotten scripts, as SCRIPT FLUSH has it do: those calls did nothing, and go again by their text.
        let forgotten: Vec<_> = (0..calls.len()).filter(|at| values.get(*at).is_some_and(is_noscript)).collect();
        if !forgotten.is_empty() {
            let texts = forgotten.iter().map(|at| {
                let call = &calls[*at];
                call.command("EVAL", self.scripts.text(call.script), grace)
            });
            let again = speak(live, texts.chain(then.iter().cloned()).collect()).await?;
            for (at, value) in forgotten.iter().copied().chain(calls.len()..values.len()).zip(again) {
                values[at] = value;
            }
        }
        values.into_iter().map(Value::extract_error).collect()
    }
}

async fn speak(live: &Live, commands: Vec<Cmd>) -> RedisResult<Vec<Value>> {
    let mut connection = live.connection.clone();
    if let [command] = &*commands {
        return Ok(vec![connection.send_packed_command(command).await?]);
    }
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        pipeline.add_command(command);
    }
    connection.send_packed_commands(&pipeline, 0, pipeline.len()).await
}

fn is_noscript(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == "NOSCRIPT")
}

/// Has the connection looked at when it is dropped armed: whoever waited for the answer waits no longer.
#[must_use]
struct GivenUp<'a>(Option<&'a Link>);

impl GivenUp<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.0 {
            link.is_doubtful();
        }
    }
}
