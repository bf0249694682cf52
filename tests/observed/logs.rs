use celeriac::Task;
use serde_json::{Value, json};

use super::stage::{Stage, end};

/// A task as the worker's program has it; the contract is written down twice, as between two programs.
#[celeriac::task(name = "observed.outer", queue = "observed", tags(company))]
struct Outer {
    company: String,
    cents: u64,
    #[arg(secret)]
    token: String,
}

const SECRET: &str = "hunter2";
const CENTS: u64 = 19_990_733;

/// What a worker prints while it runs one task to its end, and the task's id.
async fn lines(format: &str) -> (Vec<String>, String) {
    let stage = Stage::new();
    let broker = stage.broker();
    let task = Outer { company: "eu-7".into(), cents: CENTS, token: SECRET.into() };
    assert_eq!(task.tags(), [("company", "eu-7".to_owned())]);
    let sent = broker.message(task).tag("urgent").publish().await.unwrap();
    let mut worker = stage.program(&["--log-format", format], &[]);
    worker.wait_for_line(|line| line.contains("inner runs")).await;
    let output = end(worker).await;
    (output.lines().map(str::to_owned).collect(), sent.id.to_string())
}

#[tokio::test]
async fn the_log_of_one_task_is_one_filter_over_json() {
    let (lines, id) = lines("json").await;
    let lines: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_the_task: Vec<&Value> = lines.iter().filter(|line| line["task_id"] == json!(id)).collect();
    let mut said: Vec<(u64, &str)> = of_the_task
        .iter()
        .map(|line| (line["attempt"].as_u64().unwrap(), line["message"].as_str().or(line["outcome"].as_str()).unwrap()))
        .collect();
    // The next attempt may begin before the line that says so.
    said.sort_by_key(|(attempt, _)| *attempt);
    assert_eq!(
        said,
        [
            (1, "outer begins"),
            (1, "outer charges"),
            (1, "outer computes"),
            (1, "retried"),
            (2, "outer begins"),
            (2, "outer charges"),
            (2, "outer computes"),
            (2, "succeeded"),
        ]
    );
    for line in &of_the_task {
        for (field, value) in [("task", "observed.outer"), ("queue", "observed"), ("level", "INFO")] {
            assert_eq!(line[field], value, "{line}");
        }
        let worker = line["worker"].as_str().unwrap();
        assert_eq!(worker.rsplit_once(':').unwrap().0, line["hostname"].as_str().unwrap());
        let tags = match line["message"].as_str() {
            Some("outer begins") => json!({ "company": "eu-7", "urgent": true }),
            _ => json!({ "company": "eu-7", "urgent": true, "step": line["attempt"].to_string() }),
        };
        assert_eq!(line["tags"], tags, "{line}");
    }
    assert_eq!(of_the_task[1]["gateway"], "eu", "what inner spans say is there too");
    let left_behind = lines.iter().find(|line| line["message"] == "outer has left this behind").unwrap();
    assert_eq!(left_behind.get("task_id"), None, "a future that was spawned is in no span");
}

#[tokio::test]
async fn the_log_of_one_task_is_one_filter_for_people() {
    let (lines, id) = lines("pretty").await;
    let mark = format!("task_id=\"{id}\"");
    let of_the_task: Vec<&String> = lines.iter().filter(|line| line.contains(&mark)).collect();
    assert_eq!(of_the_task.len(), 8, "{lines:#?}");
    for line in of_the_task {
        for field in
            ["worker=", "hostname=", "task=\"observed.outer\"", "queue=\"observed\"", "attempt=", "company=eu-7"]
        {
            assert_eq!(line.matches(field).count(), 1, "{field} in {line}");
        }
    }
}

#[tokio::test]
async fn no_argument_is_logged_that_is_no_tag() {
    let (lines, _) = lines("json").await;
    let text = lines.join("\n");
    assert!(text.contains("eu-7"));
    for kept in [SECRET.to_owned(), CENTS.to_string()] {
        assert!(!text.contains(&kept), "{kept} in {text}");
    }
}
