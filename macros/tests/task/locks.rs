use std::time::Duration;

use celeriac::{Busy, LockKind, LockSpec, Outcome, Pace, Reason, Task as _, Worker, harness::Harness, prelude::*};
use celeriac::{DeclaredLock, LockPart};
use serde::{Deserialize, Serialize};
use serde_json::json;

const GATES: u32 = 3;

/// A type of the user's.
#[derive(Debug, Serialize, Deserialize)]
struct DealerId(u32);

impl LockPart for DealerId {
    fn lock_part(&self) -> Option<String> {
        self.0.lock_part()
    }
}

#[task(name = "whole", mutex)]
async fn whole() -> Result<(), TaskError> {
    Ok(())
}

#[task(
    name = "many",
    mutex(account_id, r#type, ttl = "20s", busy = wait("10s")),
    mutex("file", key = file, busy = skip),
    semaphore("dms", key = (dealer, file), leases = GATES, weight = cost),
    semaphore(key = dealer, leases = 2, weight = 2, busy = fail),
    rate("dms", key = dealer, "600/m", burst = 5),
    rate("10/s")
)]
async fn many(
    account_id: u64,
    r#type: bool,
    file: Option<String>,
    dealer: DealerId,
    cost: i8,
) -> Result<(), TaskError> {
    let _ = (account_id, r#type, file, dealer, cost);
    Ok(())
}

/// A contract.
#[task(name = "contract", mutex("file", key = file))]
struct Contract {
    file: String,
    #[arg(secret)]
    token: String,
}

fn sent(file: Option<&str>, cost: i8) -> Many {
    Many { account_id: 7, r#type: true, file: file.map(str::to_owned), dealer: DealerId(3), cost }
}

fn key<const N: usize>(parts: [&str; N]) -> [String; N] {
    parts.map(str::to_owned)
}

#[test]
fn what_is_written_is_what_a_run_must_hold() {
    assert_eq!(Whole.locks(), [LockSpec::mutex("whole", []).label("mutex")]);
    let mutex = LockSpec::mutex("many", key(["account_id=7", "type=true"]));
    let pace = Pace::new(600, Duration::from_secs(60)).burst(5);
    let expected = [
        mutex.label("account_id,type").ttl(Duration::from_secs(20)).busy(Busy::Wait(Duration::from_secs(10))),
        LockSpec::mutex("file", key(["a.xml"])).busy(Busy::Skip),
        LockSpec::semaphore("dms", key(["3", "a.xml"]), 3).weight(2),
        LockSpec::semaphore("many", key(["dealer=3"]), 2).label("dealer").weight(2).busy(Busy::Fail),
        LockSpec::rate("dms", key(["3"]), pace),
        LockSpec::rate("many", [], Pace::new(10, Duration::from_secs(1))).label("rate"),
    ];
    assert_eq!(sent(Some("a.xml"), 2).locks(), expected);
    let contract = Contract { file: "a.xml".into(), token: "secret".into() };
    assert_eq!(contract.locks(), [LockSpec::mutex("file", key(["a.xml"]))]);
    assert!(!format!("{contract:?}").contains("\"secret\""));
}

#[test]
fn an_argument_that_is_none_takes_no_lease() {
    let names = |task: Many| task.locks().into_iter().map(|lock| (lock.kind, lock.name)).collect::<Vec<_>>();
    let all = names(sent(Some("a.xml"), 1));
    let without = names(sent(None, 1));
    assert_eq!(all.len() - without.len(), 2, "the mutex and the semaphore that have the file in their keys");
    assert!(!without.contains(&(LockKind::Mutex, "file".to_owned())));
}

#[test]
fn what_a_task_may_hold_is_known_without_arguments() {
    assert_eq!(Whole::LOCKS, [DeclaredLock::mutex("whole")]);
    let declared = [
        DeclaredLock::mutex("many").ttl(Duration::from_secs(20)),
        DeclaredLock::mutex("file"),
        DeclaredLock::semaphore("dms", 3),
        DeclaredLock::semaphore("many", 2),
        DeclaredLock::rate("dms"),
        DeclaredLock::rate("many"),
    ];
    assert_eq!(Many::LOCKS, declared);
}

#[tokio::test]
async fn calling_the_function_takes_no_lease() {
    whole().await.unwrap();
    many(1, false, None, DealerId(3), 0).await.unwrap();
}

#[task(name = "charge", queue = "locks", mutex(account_id))]
async fn charge(ctx: Context<()>, account_id: u64, cents: u64) -> Result<(), TaskError> {
    let lease = ctx.lease("account_id")?;
    assert_eq!(lease.key().to_string(), format!("mutex:charge:account_id={account_id}"));
    tokio::time::sleep(Duration::from_secs(cents)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn arguments_lock_alike_whether_they_come_by_position_or_by_name() {
    let mut harness = Harness::new(|| Worker::builder().register::<Charge>().pool("locks", Pool::new(8)));
    let broker = harness.broker().clone();
    let typed = harness.publish(Charge { account_id: 7, cents: 5 }).await.unwrap();
    let mut others = Vec::new();
    for (args, kwargs) in [
        (json!([7, 1]), json!({})),
        (json!([7]), json!({"cents": 1})),
        (json!([]), json!({"cents": 1, "account_id": 7})),
    ] {
        let sent = broker.task_named("charge", args, kwargs).queue("locks").publish().await.unwrap();
        others.push(sent.id);
    }
    let other_account = broker.task_named("charge", (8, 1), ()).queue("locks").publish().await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&typed.id, &[Outcome::Succeeded]);
    report.assert_outcomes(&other_account.id, &[Outcome::Succeeded]);
    for id in others {
        let first = report.of(&id).next().unwrap();
        assert_eq!((first.outcome, first.reason), (Outcome::Deferred, Reason::Busy));
        assert_eq!(report.outcomes(&id).last(), Some(&Outcome::Succeeded));
    }
}

#[task(name = "report", queue = "locks", mutex(day), check = is_needed)]
async fn report(day: u8) -> Result<(), TaskError> {
    let _ = day;
    Ok(())
}

async fn is_needed(task: &Report) -> Check {
    tokio::task::yield_now().await;
    if task.day > 30 { Check::skip("it is there") } else { Check::Run }
}

#[task(name = "stateful", queue = "locks", check = checks::fallible)]
async fn stateful(ctx: Context<()>) -> Result<(), TaskError> {
    let () = ctx.state();
    Ok(())
}

mod checks {
    use celeriac::prelude::*;

    pub(super) async fn fallible(_: &super::Stateful, ctx: &Context<()>) -> Result<Check, std::num::ParseIntError> {
        tokio::task::yield_now().await;
        "x".parse::<u8>()?;
        assert!(ctx.attempt() > 0);
        Ok(Check::Run)
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_is_asked_with_the_task_and_with_its_context_where_it_takes_one() {
    let mut harness =
        Harness::new(|| Worker::builder().register::<Report>().register::<Stateful>().pool("locks", Pool::new(1)));
    let run = harness.publish(Report { day: 3 }).await.unwrap();
    let skipped = harness.publish(Report { day: 31 }).await.unwrap();
    let failed = harness.publish(Stateful).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&run.id, &[Outcome::Succeeded]);
    report.assert_outcomes(&skipped.id, &[Outcome::Skipped]);
    assert_eq!(report.outcomes(&failed.id).last(), Some(&Outcome::Failed));
}
