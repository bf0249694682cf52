//! Servers that speak TLS, with a certificate of an authority that the machine's administrator trusts, or of nobody.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::process::Command;
use xtask::services::{RabbitOptions, Redis, free_port};

use crate::support::{BOUND, Child, PrivateRabbit, binary, example, within};

/// An authority, and a certificate by it for this machine, as files.
struct Papers(TempDir);

impl Papers {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let papers = Self(folder);
        for (name, pem) in [("ca", authority.pem()), ("certificate", certificate.pem()), ("key", key.serialize_pem())] {
            std::fs::write(papers.path(name), pem).unwrap();
        }
        papers
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name).with_extension("pem")
    }
}

/// A command that trusts the authority of `roots`, and no other.
fn trusting(program: PathBuf, roots: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
    command
}

#[tokio::test]
async fn a_task_goes_through_rabbitmq_over_tls_and_a_certificate_of_nobody_is_refused() {
    let (papers, strangers) = (Papers::new(), Papers::new());
    let (amqps, https) = (free_port().unwrap(), free_port().unwrap());
    let files = |section: &str| {
        let file = |name: &str| papers.path(name).display().to_string();
        format!(
            "{section}.cacertfile = {}\n{section}.certfile = {}\n{section}.keyfile = {}\n",
            file("ca"),
            file("certificate"),
            file("key")
        )
    };
    let configuration = format!(
        "listeners.ssl.default = 127.0.0.1:{amqps}\n{}management.ssl.ip = 127.0.0.1\nmanagement.ssl.port = {https}\n{}",
        files("ssl_options"),
        files("management.ssl")
    );
    let options = RabbitOptions::default().management().configuration(&configuration);
    let _rabbit = PrivateRabbit::start_with(options).await;
    let url = format!("amqps://guest:guest@127.0.0.1:{amqps}/%2f");
    let management = format!("https://guest:guest@localhost:{https}");

    let mut worker = trusting(example("fault-worker"), &papers.path("ca"));
    worker.args(["tls", "2", "5"]).env("CELERIAC_BROKER_URL", &url);
    let mut worker = Child::spawn(worker);
    let celeriac = async |roots: &Papers, arguments: &[&str]| {
        let mut command = trusting(binary("celeriac"), &roots.path("ca"));
        command.args(arguments).env("CELERIAC_BROKER_URL", &url).env("CELERIAC_MANAGEMENT_URL", &management);
        within(BOUND, command.output()).await.unwrap()
    };
    let order = ["task", "send", "faults.work", "--args", r#"{"n": 7, "millis": 1}"#, "--queue", "tls"];
    let sent = celeriac(&papers, &order).await;
    assert!(sent.status.success(), "{sent:?}");
    worker.wait_for_line(|line| line == "ended 7").await;
    worker.signal(Signal::SIGTERM);
    assert!(worker.wait().await.success(), "{}", worker.output());
    let listed = celeriac(&papers, &["queue", "list"]).await;
    assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("tls"), "{listed:?}");

    let refused = celeriac(&strangers, &order).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.to_lowercase().contains("certificate"), "{said}");
    assert!(!said.contains("guest:guest"), "{said}");
}

#[tokio::test]
async fn leases_are_held_in_redis_over_tls_and_a_certificate_of_nobody_is_refused() {
    let (papers, strangers, port) = (Papers::new(), Papers::new(), free_port().unwrap().to_string());
    let file = |name: &str| papers.path(name).display().to_string();
    let [authority, certificate, key] = ["ca", "certificate", "key"].map(file);
    let configuration = [
        "--tls-port",
        &port,
        "--tls-ca-cert-file",
        &authority,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ];
    let _redis = Redis::start_with(&configuration).unwrap();
    let list = async |roots: &Papers| {
        let mut command = trusting(binary("celeriac"), &roots.path("ca"));
        command.args(["lock", "list"]).env("CELERIAC_BROKER_URL", "memory://");
        command.env("CELERIAC_LOCKS_URL", format!("rediss://127.0.0.1:{port}/0"));
        within(BOUND, command.output()).await.unwrap()
    };
    let listed = list(&papers).await;
    assert!(listed.status.success(), "{listed:?}");
    let refused = list(&strangers).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.to_lowercase().contains("certificate"), "{said}");
}
