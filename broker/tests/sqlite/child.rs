//! A second process: this test binary again, told by its environment what to do.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use celeriac_broker::Broker;
use tokio::{sync::mpsc, time::timeout};

use crate::support::{PATIENCE, consume, id, receive};

const ROLE: &str = "CELERIAC_TEST_CHILD";
const URL: &str = "CELERIAC_TEST_CHILD_URL";
const PREFIX: &str = "child: ";

/// A process of its own; it is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    said: mpsc::UnboundedReceiver<String>,
}

impl Process {
    pub(crate) fn start(role: &str, url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::plays_its_role", "--nocapture", "--test-threads=1"])
            .envs([(ROLE, role), (URL, url)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, said) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // The test harness writes its own words, and no end of line before ours.
                if let Some((_, said)) = line.split_once(PREFIX) {
                    let _ = sender.send(said.to_owned());
                }
            }
        });
        Self { child, input, said }
    }

    /// What it says next.
    pub(crate) async fn says(&mut self) -> String {
        timeout(PATIENCE, self.said.recv()).await.expect("the child speaks").expect("the child lives")
    }

    pub(crate) fn tell(&mut self, word: &str) {
        writeln!(self.input, "{word}").unwrap();
        self.input.flush().unwrap();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(words: &str) {
    println!("{PREFIX}{words}");
}

/// Waits for the parent's next word.
fn told() -> String {
    std::io::stdin().lines().next().unwrap().unwrap()
}

/// Does nothing where nobody has started it as a child.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn plays_its_role() {
    let (Ok(role), Ok(url)) = (std::env::var(ROLE), std::env::var(URL)) else { return };
    let broker = Broker::new(&url).unwrap();
    match role.as_str() {
        "hold" => hold(&broker).await,
        "work" => work(&broker).await,
        role => panic!("no role {role}"),
    }
    broker.close().await;
}

/// Holds three messages, and tries to acknowledge them when it is told to.
async fn hold(broker: &Broker) {
    let mut consumer = consume(broker, 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let delivery = receive(&mut consumer).await;
        say(&format!("holds {}", id(&delivery)));
        held.push(delivery);
    }
    told();
    for delivery in held {
        say(&format!("{:?}", delivery.ack().await));
    }
    told();
}

/// Runs no-ops for two seconds, one at a time; tells how many, and the longest that one took to come.
async fn work(broker: &Broker) {
    let mut consumer = consume(broker, 1).await;
    say("ready");
    told();
    let (begun, mut count, mut longest) = (Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(2) {
        let asked = Instant::now();
        receive(&mut consumer).await.ack().await.unwrap();
        longest = longest.max(asked.elapsed());
        count += 1;
    }
    say(&format!("{count} {}", longest.as_millis()));
    told();
}
