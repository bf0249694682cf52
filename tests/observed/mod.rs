//! What a worker tells of its tasks: log lines, traces, reports of failures.

mod logs;
mod reports;
mod stage;
mod traces;
