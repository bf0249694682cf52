//! What lies in `grafana/`: files that fit together, and expressions that real workers answer.

mod api;
mod board;
mod files;
mod load;
mod prometheus;
mod prometheus_private;
