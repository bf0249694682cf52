//! A second process: this test binary again, told by its environment what to do.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use celeriac_mutex::{Locks, MutexGuard};
use tokio::{sync::mpsc, time::timeout};

use super::support::PATIENCE;

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
        Self::start_as(role, url, Command::new(std::env::current_exe().unwrap()))
    }

    /// The same under a limit of a shell's.
    pub(crate) fn start_limited(role: &str, url: &str, limit: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")]).arg(std::env::current_exe().unwrap());
        Self::start_as(role, url, shell)
    }

    fn start_as(role: &str, url: &str, mut command: Command) -> Self {
        let mut child = command
            .args([
                "--exact",
                concat!(module_path!(), "::plays_its_role").split_once("::").unwrap().1,
                "--nocapture",
                "--test-threads=1",
            ])
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

    /// The percentage of one processor that it has used, of the time since it was asked before.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
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

/// The parent's next word; the runtime goes on meanwhile.
async fn told() -> String {
    tokio::task::spawn_blocking(|| std::io::stdin().lines().next().unwrap().unwrap()).await.unwrap()
}

/// Does nothing where nobody has started it as a child.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn plays_its_role() {
    let (Ok(role), Ok(url)) = (std::env::var(ROLE), std::env::var(URL)) else { return };
    let locks = Locks::from_url(&url).unwrap();
    match role.as_str() {
        "hold" => hold(&locks).await,
        "wait" => wait(&locks).await,
        "take turns" => take_turns(&locks, Path::new(url.trim_start_matches("sqlite://"))).await,
        "churn" => churn(&locks).await,
        "fill" => fill(&locks).await,
        role => panic!("no role {role}"),
    }
    locks.close().await;
}

/// Holds a mutex until it is told to let go.
async fn hold(locks: &Locks) {
    let guard = locks.mutex("m").lock().await.unwrap();
    say(&format!("holds {}", guard.fencing_token()));
    told().await;
    let (valid, lost) = (guard.ensure_valid().is_ok(), guard.lost_reason());
    say(&format!("{valid} {lost:?} {:?}", guard.release().await));
    told().await;
}

/// Waits for a mutex that others hold.
async fn wait(locks: &Locks) {
    say("waits");
    let guard = locks.mutex("m").lock().await.unwrap();
    say(&format!("holds {}", guard.fencing_token()));
    told().await;
}

/// Takes a mutex a thousand times, and writes its token into a register that takes each only after a lower one.
async fn take_turns(locks: &Locks, file: &Path) {
    let (register, mutex) = (file.with_extension("register"), locks.mutex("m"));
    say("ready");
    told().await;
    for _ in 0..1000 {
        let guard: MutexGuard = mutex.lock().await.unwrap();
        let token = guard.fencing_token().get();
        let found = fs::read_to_string(&register).unwrap();
        let (state, last) = found.split_once(' ').unwrap();
        assert_eq!(state, "free", "two at once");
        assert!(last.parse::<u64>().unwrap() < token, "{last} before {token}");
        fs::write(&register, format!("taken {token}")).unwrap();
        assert_eq!(fs::read_to_string(&register).unwrap(), format!("taken {token}"), "two at once");
        fs::write(&register, format!("free {token}")).unwrap();
        guard.release().await.unwrap();
    }
    say("done");
}

/// Takes and gives back whatever there is, until it is killed.
async fn churn(locks: &Locks) {
    let one = async |worker: usize| {
        for round in 0.. {
            let key = (worker + round) % 7;
            let guard = locks.mutex("churn").key(key).lock().await.unwrap();
            let permit = locks.semaphore("churn", 3).key(key % 2).acquire().await.unwrap();
            if round % 20 == 0 {
                say("churns");
            }
            drop(permit);
            drop(guard);
        }
    };
    futures_util::future::join_all((0..8).map(one)).await;
}

/// Takes new locks until that fails, and tells how.
async fn fill(locks: &Locks) {
    let mut held = Vec::new();
    let error = loop {
        match locks.mutex("m").key(("x".repeat(500), held.len())).try_lock().await {
            Ok(guard) => held.push(guard.expect("nobody else holds it")),
            Err(error) => break error,
        }
    };
    say(&format!("{} {} {error}", held.len(), error.is_transient()));
    told().await;
}
