//! A RabbitMQ server that a test may break.

use tokio::task::spawn_blocking;
use xtask::services::{Rabbit, RabbitOptions};

/// A RabbitMQ server of the test's own. Ends with it. Tests that start one stand in files named `*_private.rs`: a machine does
/// not bear many at once, and `.config/nextest.toml` knows them by that name.
#[derive(Debug)]
pub struct PrivateRabbit {
    /// Absent only while another thread has it, to block there.
    server: Option<Rabbit>,
}

impl PrivateRabbit {
    /// Starts a server, which takes about five seconds.
    pub async fn start() -> Self {
        Self::start_with(RabbitOptions::default()).await
    }

    /// Starts a server that has the management plugin too.
    pub async fn start_with_management() -> Self {
        Self::start_with(RabbitOptions::default().management()).await
    }

    /// Starts a server by these options.
    pub async fn start_with(options: RabbitOptions) -> Self {
        let server = spawn_blocking(move || Rabbit::start(&options)).await.unwrap();
        Self { server: Some(server.unwrap_or_else(|error| panic!("{error}"))) }
    }

    /// Its `amqp://` address, the same over its restarts.
    pub fn url(&self) -> String {
        self.server().url()
    }

    /// Its AMQP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server().port()
    }

    /// The `http://` address of its management API; the server has to be one of
    /// [`start_with_management`](Self::start_with_management).
    pub fn management_url(&self) -> String {
        self.server().management_url().expect("start the server with start_with_management()")
    }

    /// The process id of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server().pid()
    }

    /// Kills the server by SIGKILL; returns when it is gone.
    pub fn kill(&mut self) {
        self.server.as_mut().unwrap().kill();
    }

    /// Ends the server by SIGTERM; returns when it is gone.
    pub async fn stop(&mut self) {
        self.blocking(|server| server.stop().unwrap_or_else(|error| panic!("{error}"))).await;
    }

    /// Starts the server again on what it left on disk.
    pub async fn start_again(&mut self) {
        self.blocking(|server| server.start_again().unwrap_or_else(|error| panic!("{error}"))).await;
    }

    /// Runs `rabbitmqctl` and returns what it prints, such as `ctl(&["list_queues", "name", "messages"])`.
    pub async fn ctl(&self, arguments: &[&str]) -> String {
        let command = self.server().ctl_command().unwrap_or_else(|error| panic!("{error}"));
        let output = tokio::process::Command::from(command).args(arguments).kill_on_drop(true).output().await.unwrap();
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn server(&self) -> &Rabbit {
        self.server.as_ref().unwrap()
    }

    async fn blocking(&mut self, run: impl FnOnce(&mut Rabbit) + Send + 'static) {
        let mut server = self.server.take().unwrap();
        let server = spawn_blocking(move || {
            run(&mut server);
            server
        });
        self.server = Some(server.await.unwrap());
    }
}
