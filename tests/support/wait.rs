//! Waiting with a bound.

use std::{fmt::Display, time::Duration};

use tokio::time::{Instant, sleep, timeout};

/// How long a test waits for what should come at once. Long, so that a machine out of breath fails no test; what comes in
/// time costs none of it.
pub const BOUND: Duration = Duration::from_secs(30);

/// Asks again and again, until the answer is `Some`. For what nobody signals, such as the depth of a queue; await the signal
/// where there is one.
///
/// # Panics
/// After `bound`.
#[track_caller]
pub fn eventually<T, F>(bound: Duration, mut ask: impl FnMut() -> F) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    eventually_ok(bound, move || {
        let asked = ask();
        async move { asked.await.ok_or("nothing") }
    })
}

/// The same for an answer that says what it lacks.
///
/// # Panics
/// After `bound`, with the last such answer.
#[track_caller]
pub fn eventually_ok<T, E, F>(bound: Duration, mut ask: impl FnMut() -> F) -> impl Future<Output = T>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + bound;
        loop {
            let lacking = match ask().await {
                Ok(answer) => return answer,
                Err(lacking) => lacking,
            };
            assert!(Instant::now() < end, "what {caller} waits for did not come within {bound:?}, but {lacking}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Awaits `future` for at most `bound`.
///
/// # Panics
/// After `bound`.
#[track_caller]
pub fn within<T>(bound: Duration, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let answer = timeout(bound, future).await;
        answer.unwrap_or_else(|_| panic!("what {caller} awaits did not come within {bound:?}"))
    }
}
