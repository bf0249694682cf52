//! `celeriac demo`: a whole job, over a SQLite file and over RabbitMQ, in one process and in several.

#[path = "demo/duplicates.rs"]
mod duplicates;
#[path = "demo/failures.rs"]
mod failures;
#[path = "demo/interrupted.rs"]
mod interrupted;
#[path = "demo/spread.rs"]
mod spread;
#[path = "demo/stage.rs"]
mod stage;
