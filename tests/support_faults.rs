//! Connection faults, and processes that are listened to.

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::support::{BOUND, Child, Proxy, within};

/// A server that sends back what it gets.
async fn echo() -> (JoinSet<()>, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut running = JoinSet::new();
    running.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    (running, port)
}

async fn ask(stream: &mut TcpStream, byte: u8) -> std::io::Result<u8> {
    stream.write_u8(byte).await?;
    stream.read_u8().await
}

#[tokio::test]
async fn a_cut_ends_connections_and_a_restored_proxy_takes_new_ones() {
    let (_running, port) = echo().await;
    let proxy = Proxy::to_port(port).await;
    let mut first = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(within(BOUND, ask(&mut first, 1)).await.unwrap(), 1);

    proxy.cut();
    assert!(within(BOUND, ask(&mut first, 2)).await.is_err());
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(within(BOUND, ask(&mut second, 3)).await.is_err());

    proxy.restore();
    let mut third = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(within(BOUND, ask(&mut third, 4)).await.unwrap(), 4);
    proxy.cut();
    proxy.restore();
    assert!(within(BOUND, ask(&mut third, 5)).await.is_err(), "a cut is not missed when a restore follows it");
}

#[tokio::test]
async fn bytes_in_the_black_hole_arrive_after_the_restore_and_not_before() {
    let (_running, port) = echo().await;
    let proxy = Proxy::to_port(port).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(within(BOUND, ask(&mut stream, 1)).await.unwrap(), 1);

    proxy.black_hole();
    let mut answer = Box::pin(ask(&mut stream, 2));
    let silence = std::time::Duration::from_millis(100);
    assert!(tokio::time::timeout(silence, &mut answer).await.is_err());
    proxy.restore();
    assert_eq!(within(BOUND, answer).await.unwrap(), 2);
}

#[tokio::test]
async fn a_proxied_url_keeps_its_credentials_and_path() {
    let proxy = Proxy::to_port(1).await;
    let at = proxy.address();
    assert_eq!(proxy.url("amqp://guest:guest@127.0.0.1:5672/%2f?x=1"), format!("amqp://guest:guest@{at}/%2f?x=1"));
    assert_eq!(proxy.url("redis://127.0.0.1:6379"), format!("redis://{at}"));
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

#[tokio::test]
async fn lines_of_a_child_are_awaited_in_their_order() {
    let mut child = Child::spawn(shell("echo one; echo two; echo two; echo three >&2; exit 3"));
    assert_eq!(child.wait_for_line(|line| line.starts_with('t')).await, "two");
    assert_eq!(child.wait_for_line(|line| line.starts_with("tw")).await, "two");
    assert_eq!(child.wait().await.code(), Some(3));
    assert!(child.output().contains("three"));
}

#[tokio::test]
#[should_panic(expected = "what came:\nonly this")]
async fn a_child_that_ends_without_the_line_fails_with_what_it_printed() {
    Child::spawn(shell("echo only this")).wait_for_line(|line| line == "another").await;
}

#[tokio::test]
async fn a_child_is_signalled_and_its_end_awaited() {
    let mut child = Child::spawn(shell("trap 'echo asked; exit 7' TERM; echo ready; while :; do :; done"));
    child.wait_for_line(|line| line == "ready").await;
    child.signal(Signal::SIGTERM);
    assert_eq!(child.wait().await.code(), Some(7));
    assert!(child.output().ends_with("asked"));
}
