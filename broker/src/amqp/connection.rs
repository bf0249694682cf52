//! One connection: made when first needed, over whichever address answers, with what is known to be declared on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use lapin::{Channel, Connection, ConnectionProperties, Event, uri::AMQPUri};
use tokio::sync::{OnceCell, watch};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    address::Address,
    errors::Fault,
    probe::{self, Server},
    slot::{Mortal, Slot},
    socket::HangUp,
    topology::Declared,
};

/// The longest that one address may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The way to one connection.
#[derive(Debug)]
pub(super) struct Connector {
    addresses: Arc<[Address]>,
    slot: Slot<Link>,
    closed: CancellationToken,
    connected: AtomicU64,
}

impl Connector {
    pub(super) fn new(addresses: Arc<[Address]>, closed: CancellationToken) -> Self {
        Self { addresses, slot: Slot::default(), closed, connected: AtomicU64::new(0) }
    }

    /// The connection, made now if there is none. One attempt at each address.
    pub(super) async fn link(&self) -> Result<Arc<Link>, Fault> {
        if self.closed.is_cancelled() {
            return Err(Fault::Closed);
        }
        self.slot.get(|| self.connect()).await
    }

    /// The connection, if there is one.
    pub(super) fn current(&self) -> Option<Arc<Link>> {
        self.slot.peek()
    }

    /// Forgets the connection, which is closed when nobody else holds it.
    pub(super) fn let_go(&self) {
        self.slot.clear();
    }

    async fn connect(&self) -> Result<Link, Fault> {
        let mut worst = Fault::timed_out("connecting");
        for address in self.addresses.iter() {
            match connect(address).await {
                Ok(link) => {
                    self.connected.fetch_add(1, Ordering::Relaxed);
                    return Ok(link);
                }
                Err(fault) => {
                    tracing::debug!(address = address.shown, %fault, "could not connect");
                    // A refusal says more than a silence.
                    if !matches!(worst, Fault::Refused(_)) {
                        worst = fault;
                    }
                }
            }
        }
        Err(worst)
    }

    /// How many connections there were after the first.
    pub(super) fn reconnects(&self) -> u64 {
        self.connected.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// Closes the connection, if there is one.
    pub(super) async fn close(&self) {
        if let Some(link) = self.current() {
            self.slot.clear();
            // It is closed for the broker as well when the socket is.
            let _ = tokio::time::timeout(CONNECT_TIMEOUT, link.connection.close(200, "closed".into())).await;
        }
    }
}

async fn connect(address: &Address) -> Result<Link, Fault> {
    // The client's own recovery stays off: it does not tell that deliveries were lost, and it does not mend channels.
    let properties = ConnectionProperties::default().with_connection_name("celeriac".into());
    let runtime = lapin::runtime::default_runtime()?;
    let hang_up = HangUp::default();
    let socket = hang_up.socket();
    let open = async move |uri: AMQPUri, _| Ok(socket.connect(&uri).await?);
    let connecting = Connection::connector(address.uri.clone(), runtime, open, properties);
    let connection = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
    let connection = connection.map_err(|_| Fault::timed_out("connecting"))??;
    hang_up.disarm();
    Ok(Link::new(connection, address.clone()))
}

/// One live connection.
pub(super) struct Link {
    connection: Connection,
    address: Address,
    server: OnceCell<Server>,
    blocked: watch::Receiver<Option<String>>,
    pub(super) declared: Declared,
    /// Whether the broker has stopped reading from it. What was sent on it may still be confirmed.
    retired: AtomicBool,
    _events: AbortOnDropHandle<()>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}

impl Mortal for Link {
    fn is_alive(&self) -> bool {
        !self.retired.load(Ordering::Relaxed) && self.connection.status().connected()
    }
}

impl Link {
    fn new(connection: Connection, address: Address) -> Self {
        let (set_blocked, blocked) = watch::channel(None);
        let mut events = connection.events_listener();
        let watch = async move {
            while let Some(event) = events.next().await {
                match event {
                    Event::ConnectionBlocked(reason) => {
                        tracing::warn!(reason, "the broker takes no messages for now");
                        set_blocked.send_replace(Some(reason));
                    }
                    Event::ConnectionUnblocked => {
                        tracing::info!("the broker takes messages again");
                        set_blocked.send_replace(None);
                    }
                    _ => {}
                }
            }
        };
        Self {
            connection,
            address,
            server: OnceCell::new(),
            blocked,
            declared: Declared::default(),
            retired: AtomicBool::new(false),
            _events: AbortOnDropHandle::new(tokio::spawn(watch)),
        }
    }

    /// Has those who come make another.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// A new channel.
    pub(super) async fn channel(&self) -> Result<Channel, Fault> {
        Ok(self.connection.create_channel().await?)
    }

    /// Which server it is. Asked once, and only by those who need to know: the server logs each look as a broken connection.
    pub(super) async fn server(&self) -> Result<&Server, Fault> {
        self.server.get_or_try_init(|| probe::server(&self.address.uri)).await
    }

    /// The virtual host.
    pub(super) fn vhost(&self) -> &str {
        &self.address.uri.vhost
    }

    /// The largest frame, in bytes, that the broker takes.
    pub(super) fn frame_max(&self) -> u32 {
        self.connection.configuration().frame_max()
    }

    /// What the broker said when it stopped taking messages; `None` while it takes them.
    pub(super) fn blocked(&self) -> Option<String> {
        // The client's own flag is the cheaper question.
        if !self.connection.status().blocked() {
            return None;
        }
        self.blocked.borrow().clone().or_else(|| Some("it did not say why".into()))
    }

    /// Resolves when the broker takes messages, or when the connection is gone.
    pub(super) async fn unblocked(&self) {
        let mut blocked = self.blocked.clone();
        // An error means that nobody watches the connection any more.
        let _ = blocked.wait_for(Option::is_none).await;
    }
}
