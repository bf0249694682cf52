//! A quorum queue whose majority is down takes messages and confirms none; RabbitMQ holds up the channel of the first one for 65 s.

use std::time::Duration;

use celeriac_broker::{Broker, Error, Queue, transport::Destination};
use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    amqp_steps::message,
    support::{BOUND, PrivateRabbit, eventually, within},
};

const TIMEOUT: Duration = Duration::from_secs(2);

/// More than RabbitMQ reads from a connection for a channel that is held up.
const BURST: usize = 1000;

/// A server with a queue of two members, one of which can be taken away: then the other leads, and has no majority.
struct Queues {
    rabbit: PrivateRabbit,
    broker: Broker,
    halved: Queue,
    healthy: Queue,
}

impl Queues {
    /// Both members are there.
    async fn start() -> Self {
        let rabbit = PrivateRabbit::start().await;
        let broker = Broker::builder().url(&rabbit.url()).publish_timeout(TIMEOUT).build().unwrap();
        let (halved, healthy) = (Queue::new("halved").unwrap(), Queue::new("healthy").unwrap());
        // Declares the queue, so that the next publish to it goes out at once, and sends nothing there. A server that has just started may
        // take longer than one publish.
        eventually(BOUND, || async {
            let later = Destination::after(halved.clone(), 1000 * BOUND);
            broker.publish_message(later, message("later")).await.ok()
        })
        .await;
        eventually(BOUND, || async { publish(&broker, &healthy, "warm").await.ok() }).await;
        // Of a queue of one member; the new one is on the same node, under another name.
        let add = "Queue = rabbit_misc:r(<<\"/\">>, queue, <<\"halved\">>), \
            Machine = {module, rabbit_fifo, #{name => '%2F_halved', queue_resource => Queue}}, \
            ok = ra:start_server(quorum_queues, '%2F_halved', {second, node()}, Machine, [{'%2F_halved', node()}]), \
            {ok, _, _} = ra:add_member({'%2F_halved', node()}, {second, node()}), \
            {ok, _, _} = ra:consistent_query({'%2F_halved', node()}, fun rabbit_fifo:query_stat/1).";
        rabbit.ctl(&["eval", add]).await;
        Self { rabbit, broker, halved, healthy }
    }

    async fn take_majority(&self) {
        self.rabbit.ctl(&["eval", "ok = ra:stop_server(quorum_queues, {second, node()})."]).await;
    }

    async fn give_it_back(&self) {
        self.rabbit.ctl(&["eval", "ok = ra:restart_server(quorum_queues, {second, node()})."]).await;
    }

    async fn publish_burst(&self) -> Vec<Result<(), Error>> {
        let number = |number: usize| async move { publish(&self.broker, &self.healthy, &number.to_string()).await };
        join_all((0..BURST).map(number)).await
    }
}

async fn publish(broker: &Broker, queue: &Queue, id: &str) -> Result<(), Error> {
    broker.publish_message(Destination::now(queue.clone()), message(id)).await
}

#[tokio::test]
async fn a_queue_without_a_majority_holds_up_others_once_and_none_when_it_has_one_again() {
    let queues = Queues::start().await;
    queues.take_majority().await;
    let (broker, halved, healthy) = (&queues.broker, &queues.halved, &queues.healthy);
    let error = publish(broker, halved, "first").await.unwrap_err();
    assert!(matches!(error, Error::Unconfirmed { .. }), "{error:?}");

    let keeps_on = async {
        for number in 0..6 {
            let error = publish(broker, halved, &number.to_string()).await.unwrap_err();
            assert!(matches!(error, Error::Unconfirmed { .. } | Error::Unreachable { .. }), "{error:?}");
        }
    };
    let others =
        stream::iter(0..).map(|number: u64| async move { publish(broker, healthy, &number.to_string()).await });
    let published = others.buffer_unordered(64).inspect(|published| assert!(published.is_ok(), "{published:?}"));
    let published = within(BOUND, published.take_until(Box::pin(keeps_on)).count()).await;
    assert!(published > BURST, "{published} in the time of six to the other queue");

    queues.give_it_back().await;
    eventually(BOUND, || async { publish(broker, halved, "back").await.ok() }).await;
    join_all((0..100).map(|number| async move { publish(broker, halved, &number.to_string()).await.unwrap() })).await;
    publish(broker, healthy, "last").await.unwrap();
    // Both queues' messages went over one channel; of others there is none.
    for list in ["list_channels", "list_connections"] {
        eventually(BOUND, || async {
            (queues.rabbit.ctl(&[list, "--no-table-headers", "pid"]).await.lines().count() == 1).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn many_that_were_sent_behind_one_to_it_keep_none_waiting_that_come_later() {
    let queues = Queues::start().await;
    queues.take_majority().await;
    let (first, burst) = tokio::join!(publish(&queues.broker, &queues.halved, "first"), queues.publish_burst());
    assert!(matches!(first, Err(Error::Unconfirmed { .. })), "{first:?}");
    assert!(burst.iter().any(Result::is_err), "they were held up");
    let (sooner, later) = (queues.publish_burst().await, queues.publish_burst().await);
    for published in sooner.into_iter().chain(later) {
        published.unwrap();
    }
}

#[tokio::test]
async fn to_delete_a_queue_without_a_majority_costs_no_publish_to_another() {
    let queues = Queues::start().await;
    let (broker, halved, healthy) = (&queues.broker, &queues.halved, &queues.healthy);
    // The common channel is known to the queue by then, and is not held up.
    publish(broker, halved, "while it works").await.unwrap();
    queues.take_majority().await;
    for id in ["over the common channel", "alone"] {
        let error = publish(broker, halved, id).await.unwrap_err();
        assert!(matches!(error, Error::Unconfirmed { .. }), "{id}: {error:?}");
    }
    // RabbitMQ closes the connection of whoever waits to be made known to a queue that is deleted.
    let deleting = Box::pin(queues.rabbit.ctl(&["delete_queue", "halved"]));
    let others =
        stream::iter(0..).map(|number: u64| async move { publish(broker, healthy, &number.to_string()).await });
    let others = others.buffer_unordered(8).inspect(|published| assert!(published.is_ok(), "{published:?}"));
    assert!(within(BOUND, others.take_until(deleting).count()).await > 0);
    assert_eq!(broker.stats().reconnects, 0);

    eventually(BOUND, || async { publish(broker, halved, "declared again").await.ok() }).await;
}
