//! A second process of a test: its own binary again, told by the environment what to do. Whoever includes this file has a test
//! `plays_its_role` beside it.
#![allow(dead_code, reason = "shared by the tests of several crates, and each uses a part")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use tokio::{sync::mpsc, time::timeout};

const ROLE: &str = "CELERIAC_TEST_CHILD";
const URL: &str = "CELERIAC_TEST_CHILD_URL";
const PREFIX: &str = "child: ";

/// Longer than anything takes on a loaded machine.
const BOUND: Duration = Duration::from_secs(60);

/// What this process is to do, and where; `None` where nobody has started it as a child.
pub(crate) fn role() -> Option<(String, String)> {
    Some((std::env::var(ROLE).ok()?, std::env::var(URL).ok()?))
}

/// The path of the test that plays a role.
fn own_test() -> String {
    let module = module_path!().split_once("::").and_then(|(_, module)| module.rsplit_once("::"));
    format!("{}::plays_its_role", module.unwrap().0)
}

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
            .args(["--exact", &own_test(), "--nocapture", "--test-threads=1"])
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
        timeout(BOUND, self.said.recv()).await.expect("the child speaks").expect("the child lives")
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

pub(crate) fn say(words: &str) {
    println!("{PREFIX}{words}");
}
