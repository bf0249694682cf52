//! The night of feeds on a RabbitMQ that dies in the middle of it.

use std::fs;

use celeriac_broker::{Broker, QueueName};

use crate::{
    dealers::{assert_promises, end, seconds, start},
    support::{BOUND, PrivateRabbit, eventually, redis_url},
};

const WORKERS: u64 = 3;

/// A server that is killed while it makes a queue may keep the queue's name, and never have it lead: whatever is published there is held up,
/// and the channel with it. That is for RabbitMQ to mend; here every queue stands before the server dies.
async fn until_all_consume(rabbit: &PrivateRabbit) {
    let broker = Broker::new(&rabbit.url()).unwrap();
    for queue in ["imports", "inventories", "exports", "hog"] {
        for name in [format!("dealers.{queue}"), format!("dealers.{queue}.suspect")] {
            let name = QueueName::new(&name).unwrap();
            eventually(BOUND, async || {
                let queue = broker.transport().queue(&name).await.ok().flatten()?;
                (queue.consumers == Some(WORKERS)).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_night_on_rabbitmq_and_redis_survives_the_death_of_its_broker_too() {
    let folder = tempfile::tempdir().unwrap();
    let (asked, restarted) = (folder.path().join("asked"), folder.path().join("restarted"));
    let mut rabbit = PrivateRabbit::start().await;

    // The night asks for a restart by running a command, and goes on when that ends.
    let command = format!("touch {}; until [ -e {} ]; do sleep 0.05; done", asked.display(), restarted.display());
    let (tasks_at, leases_at) = (rabbit.url(), redis_url());
    let environment = [("CELERIAC_BROKER_URL", tasks_at.as_str()), ("CELERIAC_LOCKS_URL", &leases_at)];
    let mut night = start(folder.path(), &environment, &["--restart-broker", &command]);
    night.wait_for_line_within(2 * BOUND, |line| line.contains("the broker restarts")).await;
    eventually(BOUND, async || asked.exists().then_some(())).await;
    until_all_consume(&rabbit).await;
    rabbit.kill();
    rabbit.start_again().await;
    fs::write(&restarted, "").unwrap();

    let report = end(&mut night).await;
    assert_promises(&report);
    assert!(seconds(&report["restart"]["work_after"]) < 30.0, "{report}");
}
