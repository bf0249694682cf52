use celeriac::{Outcome, Worker, WorkerBuilder, harness::Harness, prelude::*};
use serde_json::json;

#[derive(Debug)]
struct Office {
    rate: u64,
}

/// Adds the rate.
#[task(name = "bill.tax", queue = "bill", derive(Clone, PartialEq))]
async fn tax(
    ctx: Context<Office>,
    mut cents: u64,
    #[arg(default = 2 + 1)] times: u64,
    note: Option<String>,
) -> Result<u64, TaskError> {
    cents += ctx.state().rate * times;
    match note {
        Some(note) => Err(TaskError::permanent(TaskError::new(note))),
        None => Ok(cents),
    }
}

/// Its error is none of ours.
#[task(name = "check", queue = "bill", retry(max_attempts = 1))]
async fn check(number: String) -> Result<(), std::num::ParseIntError> {
    number.parse::<u64>().map(drop)
}

#[task(name = "tick", queue = "bill")]
pub(crate) async fn tick() -> Result<(), TaskError> {
    Ok(())
}

type TaskResult<T> = Result<T, TaskError>;

mod shorthand {
    pub(super) type Result<T> = super::TaskResult<T>;
}

/// An argument is named as its function, one as a keyword, one as the context usually is.
#[task(name = "echo", queue = "bill")]
async fn echo(echo: String, r#type: u8, ctx: bool, __result: ()) -> shorthand::Result<String> {
    let () = __result;
    Ok(format!("{echo} {type} {ctx}", r#type = r#type))
}

fn worker() -> WorkerBuilder<Office> {
    Worker::builder()
        .state(|| async { Ok::<_, std::io::Error>(Office { rate: 7 }) })
        .register::<Tax>()
        .register::<Check>()
        .register::<Tick>()
        .register::<Echo>()
        .pool("bill", Pool::new(2))
}

#[tokio::test]
async fn the_function_stays_callable_without_a_broker() {
    assert!(check("12".into()).await.is_ok());
    assert!(check("x".into()).await.is_err());
    assert_eq!(echo("a".into(), 1, true, ()).await.unwrap(), "a 1 true");
    tick().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_generated_struct_runs_its_function() {
    let mut harness = Harness::new(worker);
    let done = [
        harness.publish(Tax { cents: 10, times: 1, note: None }).await.unwrap().id,
        harness.publish(Tick).await.unwrap().id,
        harness.publish(Check { number: "12".into() }).await.unwrap().id,
        harness.publish(Echo { echo: "a".into(), r#type: 1, ctx: true, __result: () }).await.unwrap().id,
    ];
    let failed = [
        harness.publish(Check { number: "x".into() }).await.unwrap().id,
        harness.publish(Tax { cents: 10, times: 1, note: Some("no".into()) }).await.unwrap().id,
    ];
    let report = harness.run_until_idle().await.unwrap();
    for id in &done {
        report.assert_outcomes(id, &[Outcome::Succeeded]);
    }
    for id in &failed {
        report.assert_outcomes(id, &[Outcome::Failed]);
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_come_by_position_and_by_name_and_defaults_fill_in() {
    let broker = Broker::memory();
    let read = |args: serde_json::Value, kwargs: serde_json::Value| {
        let (_, message) = broker.task_named("bill.tax", args, kwargs).build().unwrap();
        let request = celeriac::Request::decode(&message).unwrap();
        let bound = request.bind(Tax::ARGS, Tax::ALLOW_UNKNOWN).map_err(|fault| fault.to_string())?;
        celeriac::Request::task_of::<Tax>(bound).map_err(|fault| fault.to_string())
    };
    let tax = |cents, times| Tax { cents, times, note: None };
    assert_eq!(read(json!([5]), json!({})), Ok(tax(5, 3)));
    assert_eq!(read(json!([]), json!({"cents": 5, "times": 9})), Ok(tax(5, 9)));
    assert_eq!(read(json!([5, 9, null]), json!({})), Ok(tax(5, 9)));
    assert_eq!(read(json!([]), json!({})), Err("the argument `cents` is missing".into()));
    assert_eq!(read(json!([]), json!({"cents": 5, "tips": 1})), Err("the argument `tips` is unknown".into()));
}

#[test]
fn keyword_names_travel_without_their_prefix() {
    let names: Vec<_> = Echo::ARGS.iter().map(|arg| arg.name).collect();
    assert_eq!(names, ["echo", "type", "ctx", "__result"]);
    let (_, message) =
        Broker::memory().message(Echo { echo: "a".into(), r#type: 1, ctx: true, __result: () }).build().unwrap();
    assert!(message.headers.text("kwargsrepr").unwrap().contains("'type': 1"));
}

#[test]
fn a_task_without_arguments_travels_as_an_empty_object() {
    assert_eq!(serde_json::to_value(Tick).unwrap(), json!({}));
    serde_json::from_value::<Tick>(json!({})).unwrap();
    assert_eq!(format!("{Tick:?}"), "Tick");
}
