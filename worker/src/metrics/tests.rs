#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use celeriac_broker::{Broker, Outcome, QueueName, Reason};
use celeriac_mutex::{Kind, Locks};
use prometheus::{Registry, TextEncoder};

use super::{
    Metrics,
    book::{Book, Names, UNREGISTERED},
    hub::About,
};

fn text(metrics: &Metrics) -> String {
    TextEncoder::new().encode_to_string(&metrics.registry().gather()).unwrap()
}

/// A worker of so many tasks and queues.
fn wide(tasks: usize, queues: usize) -> (Metrics, Book) {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let locks = Locks::from_url("memory://").unwrap();
    let leak = |text: String| -> &'static str { text.leak() };
    let queues: Vec<&'static str> = (0..queues).map(|n| leak(format!("inventory.queue_{n:02}"))).collect();
    let tasks: Vec<_> = (0..tasks).map(|n| leak(format!("inventory.synchronise_articles_{n:02}"))).collect();
    for task in tasks.iter().take(20) {
        locks.count(Kind::Mutex, task);
    }
    let names = Names {
        tasks: tasks.iter().enumerate().map(|(n, task)| (*task, *task, queues[n % queues.len()])).collect(),
        queues: queues.iter().map(|queue| QueueName::new(queue).unwrap()).collect(),
    };
    let book = Book::new(metrics.hub.counters.clone(), &names);
    let info = ["w", "v", "q", "memory", "local"].map(str::to_owned);
    let about = About { tasks: book.tasks().collect(), broker: Broker::memory(), locks: Some(locks), info };
    assert!(metrics.hub.describe(about));
    (metrics, book)
}

#[test]
fn a_scrape_of_fifty_tasks_in_ten_queues_has_less_than_500_kilobytes() {
    let (metrics, _book) = wide(50, 10);
    let size = text(&metrics).len();
    assert!((100_000..500_000).contains(&size), "{size}");
}

#[test]
fn names_that_nobody_registered_are_one_value_however_many_there_are() {
    let (metrics, book) = wide(2, 2);
    let queue = QueueName::new("inventory.queue_00").unwrap();
    let before = text(&metrics).lines().count();
    for n in 0..1000 {
        let name = format!("from.the.wire.{n}");
        book.settling(Some(&name), &queue, Outcome::Rejected, Reason::UnknownTask).unwrap().count();
    }
    let text = text(&metrics);
    assert_eq!(text.lines().count(), before);
    let line = format!(
        r#"celeriac_tasks_finished_total{{outcome="rejected",queue="{queue}",reason="unknown_task",task="{UNREGISTERED}"}} 1000"#
    );
    assert!(text.contains(&line), "{text}");
}

#[test]
fn a_task_that_comes_from_another_queue_is_counted_there() {
    let (metrics, book) = wide(2, 2);
    let (task, other) = ("inventory.synchronise_articles_00", QueueName::new("inventory.queue_01").unwrap());
    let line = format!(r#"{{outcome="retried",queue="{other}",reason="error",task="{task}"}} 1"#);
    assert!(!text(&metrics).contains(&line));
    book.settling(Some(task), &other, Outcome::Retried, Reason::Error).unwrap().count();
    assert!(text(&metrics).contains(&line));
    assert!(text(&metrics).contains(&format!(r#"celeriac_task_retries_total{{queue="{other}",task="{task}"}} 1"#)));
}
