use std::sync::{Arc, Mutex};

use celeriac_broker::Outcome;

use super::{
    super::{PLAIN, Scripted},
    harness, locked, mutex,
};

#[tokio::test(start_paused = true)]
async fn the_fencing_token_reaches_the_handler_and_the_children_and_rises() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (mut harness, _) = harness({
        let seen = seen.clone();
        move |ctx, n| {
            let seen = seen.clone();
            async move {
                if let Ok(lease) = ctx.lease("m") {
                    assert!(ctx.parent_fence("mutex:m:a").is_none());
                    let part = ctx.mutex("part", 5).lock().await?;
                    ctx.publish(Scripted::<PLAIN> { n: n + 100 }).await?;
                    seen.lock().unwrap().push((n, lease.fencing_token(), Some(part.fencing_token())));
                } else {
                    let token = ctx.parent_fence("mutex:m:a").expect("the parent's lease");
                    seen.lock().unwrap().push((n, token, ctx.parent_fence("mutex:part:5")));
                }
                Ok(())
            }
        }
    });
    for n in 1..=2 {
        harness.publish(locked(n, [mutex("a")])).await.unwrap();
        let report = harness.run_until_idle().await.unwrap();
        assert_eq!(report.count(Outcome::Succeeded), 2);
    }
    let seen = seen.lock().unwrap().clone();
    let of = |n: u64| seen.iter().find(|(seen, ..)| *seen == n).map(|(_, token, part)| (*token, *part)).unwrap();
    assert_eq!((of(101), of(102)), (of(1), of(2)), "each child has its parent's");
    assert!(of(2).0 > of(1).0, "a later lease has a higher token");
}
