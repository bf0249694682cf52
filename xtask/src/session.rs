//! The services of one run.

use std::env;
use std::net::{TcpStream, ToSocketAddrs};
use std::process::Command;

use xtask::services::{Folder, RABBITMQ_SCRIPTS, Rabbit, RabbitOptions, Redis};

use crate::Failure;
use crate::install::{JDUPES, PROMETHEUS, PYTHON as PYTHON3, RABBITMQ, REDIS, install, is_there};
use crate::parts::{Part, Parts};
use crate::venv;

const AMQP_URL: &str = "CELERIAC_TEST_AMQP_URL";
const REDIS_URL: &str = "CELERIAC_TEST_REDIS_URL";
const PYTHON: &str = "CELERIAC_TEST_PYTHON";

/// What a developer has set for their own programs, and no test may take for its own.
const NOT_FOR_TESTS: [&str; 4] =
    ["CELERIAC_BROKER_URL", "CELERIAC_LOCKS_URL", "CELERIAC_RESULTS_URL", "CELERIAC_MANAGEMENT_URL"];

/// Running services, ended when dropped, and the variables that name them.
#[derive(Debug)]
pub(crate) struct Session {
    variables: Vec<(&'static str, String)>,
    rabbit: Option<Rabbit>,
    redis: Option<Redis>,
}

impl Session {
    /// Finds, or installs and starts, everything but what is left out.
    pub(crate) fn start(without: &Parts) -> Result<Self, Failure> {
        Folder::remove_abandoned();
        let mut session = Self { variables: Vec::new(), rabbit: None, redis: None };
        let wanted = |part| !without.has(part);
        let given = |part, variable| if wanted(part) { env::var(variable).ok() } else { None };
        let (amqp, redis) = (given(Part::Amqp, AMQP_URL), given(Part::Redis, REDIS_URL));

        let needed = [
            (wanted(Part::Amqp) && amqp.is_none() && env::var_os(RABBITMQ_SCRIPTS).is_none(), &RABBITMQ),
            (wanted(Part::Redis) && redis.is_none(), &REDIS),
            (wanted(Part::Jdupes), &JDUPES),
            (wanted(Part::Prometheus), &PROMETHEUS),
            // Its tests also run the script that writes the dashboards.
            (wanted(Part::Prometheus), &PYTHON3),
        ];
        let missing = needed.iter().filter(|(needed, package)| *needed && !is_there(package));
        let missing: Vec<_> = missing.map(|(_, package)| *package).collect();
        if !missing.is_empty() {
            install(&missing)?;
        }

        if wanted(Part::Celery) {
            let python = venv::python()?;
            session.set(PYTHON, python.display().to_string(), &format!("celery {}", venv::CELERY));
        }
        match amqp {
            Some(url) => session.use_given(AMQP_URL, url)?,
            None if wanted(Part::Amqp) => {
                let rabbit = Rabbit::start(&RabbitOptions::default())?;
                session.set(AMQP_URL, rabbit.url(), "RabbitMQ");
                session.rabbit = Some(rabbit);
            }
            None => {}
        }
        match redis {
            Some(url) => session.use_given(REDIS_URL, url)?,
            None if wanted(Part::Redis) => {
                let redis = Redis::start()?;
                session.set(REDIS_URL, redis.url(), "Redis");
                session.redis = Some(redis);
            }
            None => {}
        }
        Ok(session)
    }

    /// Puts the addresses into a command's environment, and nothing else that could be taken for one.
    pub(crate) fn enter<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for variable in [AMQP_URL, REDIS_URL, PYTHON].iter().chain(&NOT_FOR_TESTS) {
            command.env_remove(variable);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)))
    }

    /// Leaves the logs of private servers where they are, and says where that is.
    pub(crate) fn keep_logs(&mut self) {
        let rabbit = self.rabbit.as_mut().map(Rabbit::keep_data);
        let redis = self.redis.as_mut().map(Redis::keep_data);
        for folder in [rabbit, redis].into_iter().flatten() {
            println!("A server's log: {}", folder.join("log").display());
        }
    }

    fn set(&mut self, variable: &'static str, value: String, what: &str) {
        println!("{what}: {value}");
        self.variables.push((variable, value));
    }

    fn use_given(&mut self, variable: &'static str, url: String) -> Result<(), Failure> {
        // Never the whole address: it may hold a password.
        let address = url.rsplit('@').next().unwrap_or(&url);
        let address = address.rsplit("//").next().unwrap_or(address);
        let address = address.split(['/', '?']).next().unwrap_or(address);
        let port = if variable == AMQP_URL { 5672 } else { 6379 };
        let address = if address.contains(':') { address.to_owned() } else { format!("{address}:{port}") };
        let found =
            address.to_socket_addrs().ok().is_some_and(|mut found| found.any(|a| TcpStream::connect(a).is_ok()));
        if !found {
            return Err(Failure::CannotBeHad(format!("nobody answers at {address}, which {variable} names")));
        }
        println!("{variable}: {address}");
        self.variables.push((variable, url));
        Ok(())
    }
}
