use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use celeriac_broker::{HeaderValue, Message, QueueName, Reason, Request, message::names, transport::MAX_DELAY};

use crate::sample::{names as samples, sample};

const DELAY: Duration = Duration::from_millis(90_500);

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_363_769)
}

fn queue() -> QueueName {
    QueueName::new("celery").unwrap()
}

/// The headers that differ, with the copy's value; `None` where it has none.
fn changes<'a>(original: &'a Message, copy: &'a Message) -> BTreeMap<&'a str, Option<&'a HeaderValue>> {
    let names = original.headers.iter().chain(copy.headers.iter()).map(|(name, _)| name);
    names
        .filter(|name| original.headers.get(name) != copy.headers.get(name))
        .map(|name| (name, copy.headers.get(name)))
        .collect()
}

fn changed<'a>(original: &'a Message, copy: &'a Message) -> Vec<&'a str> {
    changes(original, copy).into_keys().collect()
}

#[test]
fn places_in_line_stay_with_the_attempt_and_the_parents_fencing_tokens_stay_for_good() {
    let mut original = sample(&samples()[0]);
    let table = |value: HeaderValue| HeaderValue::Table(vec![("mutex:m:a".to_owned(), value)]);
    original.headers.set(names::PLACES, table("p.1".into()));
    original.headers.set(names::TURNS, table(5_i64.into()));
    original.headers.set(names::FENCES, table(7_i64.into()));
    let kept =
        |copy: &Message| [names::PLACES, names::TURNS, names::FENCES].map(|name| copy.headers.get(name).is_some());
    assert_eq!(kept(&original.deferred(DELAY, now(), 1)), [true, true, true]);
    assert_eq!(kept(&original.given_back(1)), [true, true, true]);
    assert_eq!(kept(&original.next_attempt(DELAY, now())), [false, false, true]);
    assert_eq!(kept(&original.dead(Reason::Error, "x", &queue(), now()).revived(now())), [false, false, true]);
    assert_eq!(Request::decode(&original).unwrap().fences, [("mutex:m:a".to_owned(), 7)]);
}

#[test]
fn the_next_attempt_of_every_captured_task_changes_what_celery_changes_and_nothing_else() {
    for name in samples() {
        let mut original = sample(&name);
        original.headers.set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let copy = original.next_attempt(DELAY, now());
        let changes = changes(&original, &copy);
        let allowed = [names::ETA, names::PARENT_ID, names::RETRIES, names::PREVIOUS_DELAY, names::READY_AT];
        assert!(changes.keys().all(|name| allowed.contains(name)), "{name}: {changes:?}");
        assert_eq!(copy.body, original.body, "{name}");
        assert_eq!(copy.properties.expiration, None, "{name}");
        assert_eq!(
            copy.properties,
            {
                let mut kept = original.properties.clone();
                kept.expiration = None;
                kept
            },
            "{name}"
        );
        let (before, after) = (Request::decode(&original).unwrap(), Request::decode(&copy).unwrap());
        assert_eq!(after.attempt, before.attempt + 1, "{name}");
        assert_eq!(after.parent_id.as_ref(), Some(&before.id), "{name}");
        assert_eq!((after.root_id, after.expires), (before.root_id, before.expires), "{name}");
        assert_eq!((after.eta, after.ready_at), (Some(now() + DELAY), Some(now() + DELAY)), "{name}");
        assert_eq!(after.previous_delay, Some(DELAY), "{name}");
    }
}

#[test]
fn a_deferred_copy_is_the_same_attempt() {
    let original = sample("task-all-options");
    let copy = original.deferred(DELAY, now(), 3).deferred(DELAY, now(), 1);
    assert_eq!(changed(&original, &copy), [names::DEFERRALS, names::DELIVERIES, names::READY_AT]);
    assert_eq!(copy.headers.int(names::DEFERRALS), Some(2));
    assert_eq!(copy.headers.int(names::DELIVERIES), Some(0));
    assert_eq!(Request::decode(&copy).unwrap().attempt, 1);
}

#[test]
fn a_copy_that_is_given_back_does_not_count_its_own_delivery() {
    let original = sample("task-stamped");
    let copy = original.given_back(3);
    assert_eq!(changed(&original, &copy), [names::DELIVERIES]);
    assert_eq!(copy.headers.int(names::DELIVERIES), Some(2));
    assert_eq!(original.given_back(0).headers.int(names::DELIVERIES), Some(0));
}

#[test]
fn a_dead_letter_says_why_and_revives_as_it_was() {
    let original = sample("group-1");
    let dead = original.next_attempt(DELAY, now()).dead(Reason::Error, "it broke", &queue(), now());
    assert_eq!(dead.headers.text(names::DEAD_REASON), Some("error"));
    assert_eq!(dead.headers.text(names::DEAD_ERROR), Some("it broke"));
    assert_eq!(dead.headers.text(names::DEAD_QUEUE), Some("celery"));
    assert_eq!(dead.headers.instant(names::DEAD_AT), Some(now()));
    assert_eq!(dead.body, original.body);
    let revived = dead.revived(now());
    assert_eq!(changed(&original, &revived), [names::READY_AT, names::PARENT_ID]);
    assert_eq!(Request::decode(&revived).unwrap().attempt, 1);
}

#[test]
fn what_can_not_be_read_is_buried_with_its_bytes() {
    let mut original = sample("task-add");
    original.headers.retain(|_| false);
    original.body = b"\xff\xfe not json".to_vec().into();
    let dead = original.dead(Reason::Undecodable, "no header `task`", &queue(), now());
    assert_eq!(dead.body, original.body);
    assert_eq!(dead.properties, original.properties);
}

#[test]
fn what_brokers_write_on_the_way_is_not_copied() {
    let mut original = sample("task-add");
    for name in ["x-death", "x-delivery-count", "x-acquired-count", "x-first-death-queue", "x-last-death-reason"] {
        original.headers.set(name, 1_i64);
    }
    original.headers.set("x-custom", "v");
    let copy = original.given_back(1);
    let kept: Vec<_> = copy.headers.iter().map(|(name, _)| name).filter(|name| name.starts_with("x-")).collect();
    assert_eq!(kept, ["x-custom"]);
}

#[test]
fn a_long_error_is_cut_between_characters() {
    let dead = sample("task-add").dead(Reason::Error, &"é".repeat(5000), &queue(), now());
    let text = dead.headers.text(names::DEAD_ERROR).unwrap();
    assert_eq!((text.len(), text.chars().all(|c| c == 'é')), (4096, true));
    let dead = sample("task-add").dead(Reason::Error, &format!("x{}", "é".repeat(5000)), &queue(), now());
    assert_eq!(dead.headers.text(names::DEAD_ERROR).unwrap().len(), 4095);
}

/// What the table takes on the wire, at most.
fn size(message: &Message) -> usize {
    message.headers.iter().map(|(name, value)| name.len() + format!("{value:?}").len()).sum()
}

#[test]
fn a_table_that_outgrows_a_frame_is_cut_and_says_what_went() {
    let mut original = sample("task-all-options");
    original.headers.set(names::ARGSREPR, "a".repeat(60_000));
    original.headers.set("x-large", "b".repeat(60_000));
    original.headers.set("x-larger", HeaderValue::List(vec!["c".into(); 20_000]));
    let dead = original.dead(Reason::Error, &"e".repeat(9000), &queue(), now());
    assert_eq!(dead.headers.get("x-larger"), None);
    assert_eq!(dead.headers.get(names::DROPPED), Some(&HeaderValue::List(vec!["x-larger".into()])));
    assert_eq!(dead.headers.text("x-large").unwrap().len(), 60_000, "what fits stays");
    assert_eq!(dead.headers.text(names::ARGSREPR).unwrap().len(), 1024);
    assert!(Request::decode(&dead).is_ok());
    for copy in [original.next_attempt(DELAY, now()), original.given_back(1), original.deferred(DELAY, now(), 1)] {
        assert!(size(&copy) < 131_072, "{}", size(&copy));
    }
}

#[test]
fn even_a_table_of_nothing_but_large_protocol_headers_fits() {
    let mut original = sample("task-add");
    for name in [names::TASK, names::ID, names::ROOT_ID] {
        original.headers.set(name, "é".repeat(50_000));
    }
    assert!(size(&original.dead(Reason::UnknownTask, "?", &queue(), now())) < 131_072);
}

#[test]
fn an_endless_delay_is_cut_to_what_brokers_hold_and_does_not_panic() {
    let copy = sample("task-add").next_attempt(Duration::MAX, now());
    assert_eq!(copy.headers.instant(names::READY_AT), Some(now() + MAX_DELAY));
    let copy = sample("task-add").deferred(Duration::MAX, now(), 1);
    assert_eq!(copy.headers.instant(names::READY_AT), Some(now() + MAX_DELAY));
}
