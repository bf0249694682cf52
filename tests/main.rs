//! Tests of the whole over real services: `cargo xtask test` starts them. One property a file.

#![allow(missing_docs, unreachable_pub, reason = "a test binary has no users")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

#[path = "worker/record.rs"]
mod record;
mod support;
#[path = "worker/work.rs"]
mod work;

mod demo;
mod grafana;
mod metrics;
mod observed;

mod amqp_arguments;
mod amqp_conformance;
mod amqp_consume;
mod amqp_consume_private;
mod amqp_delay;
mod amqp_delay_private;
mod amqp_majority_private;
mod amqp_management_private;
mod amqp_publish;
mod amqp_publish_private;
mod amqp_steps;
mod celery_interop;
mod check_private;
mod dealers;
mod dealers_private;
mod examples;
mod support_faults;
mod support_private;
mod tls_private;
mod worker_faults;
mod worker_private;
