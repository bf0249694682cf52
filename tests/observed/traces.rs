use std::time::{Duration, Instant};

use axum::body::Bytes;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message as _;
use tokio::net::TcpListener;

use super::stage::{Receiver, Stage, end};

/// A span, and the service that it is from.
struct Seen {
    service: String,
    span: Span,
}

impl Seen {
    fn says(&self, key: &str) -> Option<String> {
        let attribute = self.span.attributes.iter().rev().find(|attribute| attribute.key == key)?;
        match attribute.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some(text.clone()),
            Value::IntValue(int) => Some(int.to_string()),
            other => panic!("{key} is {other:?}"),
        }
    }
}

fn spans(received: &[Bytes]) -> Vec<Seen> {
    let batches = received.iter().flat_map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap().resource_spans);
    let mut seen = Vec::new();
    for batch in batches {
        let attributes = batch.resource.unwrap().attributes;
        let service = attributes.into_iter().find(|attribute| attribute.key == "service.name").unwrap();
        let Some(Value::StringValue(service)) = service.value.unwrap().value else { panic!("no text") };
        let spans = batch.scope_spans.into_iter().flat_map(|scope| scope.spans);
        seen.extend(spans.map(|span| Seen { service: service.clone(), span }));
    }
    seen
}

#[tokio::test]
async fn a_publish_its_runs_their_locks_and_their_children_are_one_trace() {
    let stage = Stage::new();
    let collector = Receiver::start().await;
    let endpoint = format!("http://{}", collector.address);
    // The worker finds what it is to send when it stops: nothing waits for a batch to be full.
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_SERVICE_NAME", "")];
    let mut shop = stage.program(&["publish", "5"], &variables);
    assert!(shop.wait().await.success(), "{}", shop.output());
    let mut worker = stage.program(&[], &variables);
    worker.wait_for_line(|line| line.contains("inner runs")).await;
    end(worker).await;

    let seen = spans(&collector.received());
    let named = |name: &str| seen.iter().filter(|seen| seen.span.name == name).collect::<Vec<_>>();
    let order = named("order")[0];
    let trace: Vec<&Seen> = seen.iter().filter(|seen| seen.span.trace_id == order.span.trace_id).collect();
    let in_trace = |name: &str, task: &str| {
        let mut found: Vec<&Seen> = trace
            .iter()
            .filter(|seen| seen.span.name == name && seen.says("task").is_none_or(|named| named == task))
            .copied()
            .collect();
        found.sort_by_key(|seen| seen.span.start_time_unix_nano);
        found
    };

    let published = in_trace("celeriac.publish", "observed.outer");
    assert_eq!(published.len(), 1);
    assert_eq!((published[0].service.as_str(), published[0].span.kind()), ("shop", SpanKind::Producer));
    assert_eq!(published[0].span.parent_span_id, order.span.span_id);

    let runs = in_trace("celeriac.run", "observed.outer");
    let attempts: Vec<_> = runs.iter().map(|run| run.says("attempt").unwrap()).collect();
    assert_eq!(attempts, ["1", "2"], "the retry is in the same trace");
    for run in &runs {
        assert_eq!((run.service.as_str(), run.span.kind()), ("observed-worker", SpanKind::Consumer));
        assert_eq!(run.span.parent_span_id, published[0].span.span_id, "a run is the child of what published it");
        assert_eq!(run.says("task_id"), published[0].says("task_id"));
        assert!(run.says("tags").unwrap().contains("company=eu-7"));
        assert_eq!(run.says("otel.kind"), None);
        let locks: Vec<_> = in_trace("celeriac.lock", "");
        let within = |lock: &&&Seen| lock.span.parent_span_id == run.span.span_id;
        let waited = locks.iter().find(within).expect("a run's wait for its lock is within it");
        assert_eq!((waited.says("kind"), waited.says("lock")), (Some("mutex".into()), Some("company".into())));
        assert_eq!(waited.says("outcome").as_deref(), Some("granted"));
        assert!(waited.span.start_time_unix_nano >= run.span.start_time_unix_nano);
        assert!(waited.span.end_time_unix_nano <= run.span.end_time_unix_nano);
    }
    let failed = |run: &Seen| run.span.status.as_ref().is_some_and(|status| status.code == 2);
    assert_eq!(runs.iter().map(|run| failed(run)).collect::<Vec<_>>(), [true, false]);

    let child = in_trace("celeriac.publish", "observed.inner");
    assert_eq!(child[0].span.parent_span_id, runs[1].span.span_id, "a child is published within its parent's run");
    let inner = in_trace("celeriac.run", "observed.inner");
    assert_eq!((inner.len(), &inner[0].span.parent_span_id), (1, &child[0].span.span_id));

    let text = format!("{:?}", seen.iter().map(|seen| &seen.span).collect::<Vec<_>>());
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_collector_that_does_not_answer_fails_no_task_and_holds_up_nothing() {
    let stage = Stage::new();
    // Connections are taken, and nothing is ever said.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        // Batches are sent from the first span on.
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"),
        ("OTEL_BSP_SCHEDULE_DELAY", "10"),
    ];
    let mut worker = stage.program(&[], &variables);
    let sent = stage.broker().task_named("observed.inner", (7,), ()).queue("observed").publish().await.unwrap();
    let done = |line: &str| line.contains(sent.id.as_str()) && line.contains("outcome=\"succeeded\"");
    worker.wait_for_line(done).await;
    let asked = Instant::now();
    end(worker).await;
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_collector_that_is_away_fails_no_task() {
    let stage = Stage::new();
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let endpoint = format!("http://{away}");
    let mut worker = stage.program(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())]);
    stage.broker().task_named("observed.inner", (7,), ()).queue("observed").publish().await.unwrap();
    worker.wait_for_line(|line| line.contains("outcome=\"succeeded\"")).await;
    end(worker).await;
}

#[tokio::test]
async fn what_can_not_be_exported_to_is_refused_at_the_start() {
    let stage = Stage::new();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    for (variables, told) in [
        (
            &[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")][..],
            "OTEL_EXPORTER_OTLP_PROTOCOL: \"grpc\" is not spoken",
        ),
        (&[endpoint, ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")][..], "OTEL_EXPORTER_OTLP_TIMEOUT: \"10s\" is no number"),
        (&[("SENTRY_DSN", "nonsense")][..], "SENTRY_DSN: "),
    ] {
        let mut worker = stage.program(&[], variables);
        assert_eq!(worker.wait().await.code(), Some(2), "{}", worker.output());
        assert!(worker.output().contains(told), "{}", worker.output());
    }
}

#[tokio::test]
async fn a_task_that_nobody_traced_is_one_trace_from_its_first_run_on() {
    let stage = Stage::new();
    let collector = Receiver::start().await;
    let endpoint = format!("http://{}/v1/traces", collector.address);
    let mut worker = stage.program(&[], &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint)]);
    let draft = stage.broker().task_named("observed.end", ("eu-7", "recovers"), ());
    draft.queue("observed").publish().await.unwrap();
    worker.wait_for_line(|line| line.contains("outcome=\"succeeded\"")).await;
    end(worker).await;
    let mut runs = spans(&collector.received());
    runs.sort_by_key(|seen| seen.span.start_time_unix_nano);
    let [first, second] = runs.as_slice() else { panic!("{} spans", runs.len()) };
    assert_eq!(first.span.trace_id, second.span.trace_id);
    assert_eq!((first.span.parent_span_id.len(), &second.span.parent_span_id), (0, &first.span.span_id));
}
