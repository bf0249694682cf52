//! Which server it is: the client library keeps that to itself, so a second look is taken.

use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use lapin::uri::AMQPUri;

use super::{errors::Fault, socket::Socket};

const TIMEOUT: Duration = Duration::from_secs(5);

/// What a server says of itself before anybody has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) product: String,
    pub(super) version: String,
}

impl Server {
    /// The version's first two numbers; zeros where it has none.
    pub(super) fn version_numbers(&self) -> (u32, u32) {
        let mut numbers = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

/// Connects, reads the server's first frame, and hangs up.
pub(super) async fn server(uri: &AMQPUri) -> Result<Server, Fault> {
    let greeting = tokio::time::timeout(TIMEOUT, greeting(uri));
    let greeting = greeting.await.map_err(|_| Fault::timed_out("the server's greeting"))??;
    parse(&greeting).ok_or_else(|| Fault::Refused("it does not greet as an AMQP 0-9-1 server does".into()))
}

async fn greeting(uri: &AMQPUri) -> Result<Vec<u8>, Fault> {
    let exchange = async {
        let mut stream = Socket::default().connect(uri, TIMEOUT).await?;
        stream.write_all(b"AMQP\0\0\x09\x01").await?;
        let mut head = [0; 7];
        stream.read_exact(&mut head).await?;
        let [_, _, _, a, b, c, d] = head;
        // The greeting is some hundred bytes; a length beyond a frame is something else than a greeting.
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes([a, b, c, d]).min(131_072)).unwrap_or(0)];
        stream.read_exact(&mut payload).await?;
        std::io::Result::Ok(payload)
    };
    exchange.await.map_err(|error| Fault::from(lapin::Error::from(error)))
}

/// Reads `connection.start`: class 10, method 10, two bytes of protocol version, a table.
fn parse(payload: &[u8]) -> Option<Server> {
    let table = payload.strip_prefix(&[0, 10, 0, 10, 0, 9])?;
    let (length, table) = table.split_first_chunk::<4>()?;
    let mut rest = table.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let (mut product, mut version) = (None, None);
    while let Some((length, after)) = rest.split_first() {
        let (name, after) = after.split_at_checked((*length).into())?;
        let (kind, after) = after.split_first()?;
        let (value, after) = match kind {
            b'S' | b'F' | b'A' | b'x' => {
                let (length, after) = after.split_first_chunk::<4>()?;
                after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?
            }
            b't' | b'b' | b'B' => after.split_at_checked(1)?,
            b's' | b'u' => after.split_at_checked(2)?,
            b'I' | b'i' | b'f' => after.split_at_checked(4)?,
            b'l' | b'L' | b'd' | b'T' => after.split_at_checked(8)?,
            b'V' => (&[][..], after),
            _ => return None,
        };
        match name {
            b"product" => product = Some(String::from_utf8_lossy(value).into_owned()),
            b"version" => version = Some(String::from_utf8_lossy(value).into_owned()),
            _ => {}
        }
        rest = after;
    }
    Some(Server { product: product?, version: version? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
        let mut table = Vec::new();
        for (name, kind, value) in entries {
            table.push(u8::try_from(name.len()).unwrap());
            table.extend(name.as_bytes());
            table.push(*kind);
            table.extend(*value);
        }
        let mut payload = vec![0, 10, 0, 10, 0, 9];
        payload.extend(u32::try_from(table.len()).unwrap().to_be_bytes());
        payload.extend(table);
        payload.extend(b"\0\0\0\x05PLAIN\0\0\0\x05en_US");
        payload
    }

    #[test]
    fn product_and_version_are_found_among_other_properties() {
        let payload = greeting(&[
            ("capabilities", b'F', b"\0\0\0\x04\x01xt\x01"),
            ("number", b'I', &[0, 0, 0, 1]),
            ("product", b'S', b"\0\0\0\x08RabbitMQ"),
            ("version", b'S', b"\0\0\0\x063.10.8"),
        ]);
        let server = parse(&payload).unwrap();
        assert_eq!((server.product.as_str(), server.version_numbers()), ("RabbitMQ", (3, 10)));
    }

    #[test]
    fn what_is_no_greeting_is_no_server() {
        assert_eq!(parse(b"AMQP\0\0\x09\x01"), None);
        assert_eq!(parse(&greeting(&[("product", b'S', b"\xff\xff\xff\xff")])), None);
        assert_eq!(parse(&[]), None);
    }
}
