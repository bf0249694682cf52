//! Tags and traces: what says where a run belongs.

use std::sync::{Arc, Mutex};

use celeriac_broker::{
    Outcome, TaskError,
    message::{Tags, names},
};

use super::{PLAIN, Scripted, harness};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test(start_paused = true)]
async fn a_run_has_the_tags_of_its_message_and_those_that_it_adds() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut harness = harness({
        let seen = seen.clone();
        move |ctx, _| {
            ctx.tag("step", ctx.attempt());
            ctx.tag("company", "us-1");
            seen.lock().unwrap().push(ctx.tags().to_string());
            async { Err(TaskError::permanent(TaskError::new("done"))) }
        }
    });
    let draft = harness.message(Scripted::<PLAIN> { n: 1 }).tag("company=eu-7").tag("urgent");
    let sent = draft.publish().await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Failed]);
    assert_eq!(*seen.lock().unwrap(), ["company=us-1 urgent step=1"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_keeps_no_more_tags_than_there_is_room_for() {
    let seen = Arc::new(Mutex::new(Tags::default()));
    let mut harness = harness({
        let seen = seen.clone();
        move |ctx, _| {
            for n in 0..100 {
                ctx.tag(&format!("tag-{n}"), "x".repeat(1000));
            }
            *seen.lock().unwrap() = ctx.tags();
            async { Ok(()) }
        }
    });
    harness.publish(Scripted::<PLAIN> { n: 1 }).await.unwrap();
    harness.run_until_idle().await.unwrap();
    let tags = seen.lock().unwrap();
    assert_eq!(tags.iter().count(), Tags::MAX);
    assert!(tags.iter().all(|(_, value)| value.is_some_and(|value| value.len() == Tags::MAX_VALUE_LEN)));
}

#[tokio::test(start_paused = true)]
async fn a_trace_outlives_retries_and_is_handed_to_children() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut harness = harness({
        let seen = seen.clone();
        move |ctx, n| {
            let trace = ctx.request().trace.clone();
            let trace = trace.map(|trace| (trace.traceparent().to_owned(), trace.tracestate().map(str::to_owned)));
            seen.lock().unwrap().push((n, ctx.attempt(), trace));
            async move {
                if n < 2 {
                    ctx.publish(Scripted::<PLAIN> { n: n + 1 }).await.map_err(TaskError::new)?;
                }
                if n == 0 && ctx.attempt() == 1 { Err(TaskError::new("down")) } else { Ok(()) }
            }
        }
    });
    let draft = harness.message(Scripted::<PLAIN> { n: 0 }).header(names::TRACEPARENT, PARENT);
    draft.header(names::TRACESTATE, "rojo=1").publish().await.unwrap();
    harness.publish(Scripted::<PLAIN> { n: 9 }).await.unwrap();
    harness.run_until_idle().await.unwrap();
    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    seen.sort_unstable();
    let traced = Some((PARENT.to_owned(), Some("rojo=1".to_owned())));
    let traced = |n, attempt| (n, attempt, traced.clone());
    assert_eq!(
        seen,
        [traced(0, 1), traced(0, 2), traced(1, 1), traced(1, 1), traced(2, 1), traced(2, 1), (9, 1, None)]
    );
}
