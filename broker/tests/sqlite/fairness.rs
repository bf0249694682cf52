use crate::{
    child::Process,
    support::{Folder, publish},
};

/// SQLite's own waiting gives one of four processes up to forty times what it gives another.
#[tokio::test]
async fn four_processes_share_the_work() {
    let folder = Folder::new();
    let broker = folder.broker();
    let ids: Vec<String> = (0..40_000).map(|n| n.to_string()).collect();
    for chunk in ids.chunks(500) {
        futures_util::future::join_all(chunk.iter().map(|id| publish(&broker, id))).await;
    }
    let mut processes: Vec<Process> =
        (0..4).map(|_| Process::start("work", &folder.url("?synchronous=normal"))).collect();
    for process in &mut processes {
        assert_eq!(process.says().await, "ready");
    }
    for process in &mut processes {
        process.tell("go");
    }
    let mut shares = Vec::new();
    for process in &mut processes {
        let said = process.says().await;
        let (count, longest) = said.split_once(' ').unwrap();
        shares.push((count.parse::<u64>().unwrap(), longest.parse::<u64>().unwrap()));
    }
    let (least, most) = (shares.iter().min().unwrap().0, shares.iter().max().unwrap().0);
    assert!(most <= 3 * least, "messages and longest wait in ms of each: {shares:?}");
    assert!(least >= 50, "messages and longest wait in ms of each: {shares:?}");
    println!("messages and longest wait in ms of each: {shares:?}");
}
