use celeriac_broker::{Headers, Message, Outcome, Properties, Reason, TaskId, message::names, transport::Destination};

use super::{PLAIN, Scripted, State, harness};
use crate::harness::Harness;

fn healthy() -> Harness<State> {
    harness(|ctx, n| async move {
        ctx.state().note(n);
        Ok(())
    })
}

/// A good message, spoilt.
async fn publish_spoilt(harness: &Harness<State>, spoil: impl FnOnce(&mut Message)) -> TaskId {
    let (to, mut message) = harness.message(Scripted::<PLAIN> { n: 1 }).build().unwrap();
    let id = message.id();
    spoil(&mut message);
    harness.broker().transport().publish(to, message).await.unwrap();
    id
}

/// The dead letters as they lie there.
async fn dead_letters(harness: &Harness<State>) -> Vec<Message> {
    let dead = harness.broker().queue("celeriac.dead").unwrap();
    let mut letters = Vec::new();
    harness
        .broker()
        .transport()
        .sweep(&dead.name, usize::MAX, &mut |message| {
            letters.push(message.clone());
            celeriac_broker::transport::Verdict::Keep
        })
        .await
        .unwrap();
    letters
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_run_is_buried_with_its_reason_and_its_bytes_and_the_next_one_runs() {
    type Spoil = fn(&mut Message);
    let cases: [(Reason, Spoil); 8] = [
        (Reason::Undecodable, |message| message.body = b"{not json"[..].into()),
        (Reason::Undecodable, |message| message.body = b"[[], {}]"[..].into()),
        (Reason::Undecodable, |message| message.headers.remove(names::TASK)),
        (Reason::Undecodable, |message| {
            message.properties.content_type = Some("application/x-python-serialize".into());
        }),
        (Reason::Undecodable, |message| message.headers.set(names::COMPRESSION, "application/x-gzip")),
        (Reason::UnknownTask, |message| message.headers.set(names::TASK, "nobody.knows")),
        (Reason::BadArguments, |message| message.body = b"[[], {}, {}]"[..].into()),
        (Reason::BadArguments, |message| message.body = br#"[["one"], {}, {}]"#[..].into()),
    ];
    for (reason, spoil) in cases {
        let mut harness = healthy();
        let id = publish_spoilt(&harness, spoil).await;
        let (_, spoilt) = harness
            .message(Scripted::<PLAIN> { n: 1 })
            .build()
            .map(|(to, mut message)| {
                spoil(&mut message);
                (to, message)
            })
            .unwrap();
        let next = harness.publish(Scripted::<PLAIN> { n: 2 }).await.unwrap();
        let report = harness.run_until_idle().await.unwrap();

        report.assert_outcomes(&id, &[Outcome::Rejected]);
        assert_eq!(report.of(&id).next().unwrap().reason, reason);
        report.assert_outcomes(&next.id, &[Outcome::Succeeded]);
        let letters = dead_letters(&harness).await;
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].body, spoilt.body, "the original bytes are kept");
        assert_eq!(letters[0].headers.text(names::DEAD_REASON), Some(reason.as_str()));
        assert_eq!(letters[0].headers.text(names::DEAD_QUEUE), Some("celeriac"));
        assert!(!letters[0].headers.text(names::DEAD_ERROR).unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_limit_is_buried_not_run() {
    let mut harness = healthy();
    let limit = harness.broker().max_message_bytes();
    let id = publish_spoilt(&harness, |message| message.body = vec![b' '; limit + 1].into()).await;
    let report = harness.run_until_idle().await.unwrap();
    assert_eq!(report.of(&id).next().unwrap().reason, Reason::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_killed_too_many_workers_is_buried() {
    let mut harness = healthy();
    let id = publish_spoilt(&harness, |message| message.headers.set(names::DELIVERIES, 5_i64)).await;
    let report = harness.run_until_idle().await.unwrap();
    let record = report.of(&id).next().unwrap();
    assert_eq!((record.outcome, record.reason), (Outcome::Rejected, Reason::Poison));

    let mut harness = healthy();
    let id = publish_spoilt(&harness, |message| message.headers.set(names::DELIVERIES, 4_i64)).await;
    harness.run_until_idle().await.unwrap().assert_outcomes(&id, &[Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_no_shape_at_all_is_buried() {
    let mut harness = healthy();
    let queue = harness.broker().queue("celeriac").unwrap();
    let nothing = Message::new(Properties::default(), Headers::default(), Vec::new());
    harness.broker().publish_message(Destination::now(queue), nothing).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    assert_eq!(report.count(Outcome::Rejected), 1);
    assert_eq!(dead_letters(&harness).await.len(), 1);
}
