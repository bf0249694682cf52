use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Says one command to a Redis server, and waits for its answer.
pub(super) fn say(port: u16, command: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(command.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.read(&mut [0; 256]).map(drop)
}
