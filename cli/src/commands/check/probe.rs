//! A worker's probes, asked over HTTP.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How much of an answer is read; those of a worker are some hundred bytes.
const MOST: u64 = 64 * 1024;

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// One line for each part.
    pub(super) parts: Vec<String>,
}

/// Asks one probe. HTTP/1.0, so that no answer comes in chunks and the connection ends with it.
pub(super) async fn ask(address: &str, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(reachable(address)).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what listens there does not speak HTTP"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let parts = body.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    Some(Answer { status, parts })
}

/// Where to connect to a server that listens there: one that listens everywhere listens here.
fn reachable(address: &str) -> String {
    let Ok(mut socket) = address.parse::<SocketAddr>() else { return address.to_owned() };
    if socket.ip().is_unspecified() {
        socket.set_ip(match socket {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    socket.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_its_lines() {
        let answer = parse("HTTP/1.0 503 Service Unavailable\r\ncontent-length: 9\r\n\r\na: ok\nb: no\n").unwrap();
        assert_eq!(answer, Answer { status: 503, parts: vec!["a: ok".into(), "b: no".into()] });
        for other in ["", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 200 OK"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        assert_eq!(reachable("0.0.0.0:9464"), "127.0.0.1:9464");
        assert_eq!(reachable("[::]:9464"), "[::1]:9464");
        assert_eq!(reachable("10.0.0.7:1"), "10.0.0.7:1");
        assert_eq!(reachable("worker.local:1"), "worker.local:1");
    }
}
