//! RabbitMQ keeps every claim of the suite that all transports run.

use celeriac_broker::{Broker, conformance::Fixture};

use crate::support::amqp_url;

struct Rabbit;

impl Fixture for Rabbit {
    fn broker(&self) -> Broker {
        Broker::new(&amqp_url()).unwrap()
    }
}

celeriac_broker::conformance!(quorum, Rabbit);
