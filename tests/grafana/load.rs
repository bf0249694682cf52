//! Workers under a load, over servers that fail, and a Prometheus that scrapes them.

use std::{path::Path, time::Duration};

use nix::sys::signal::Signal;
use tokio::{process::Command, task::spawn_blocking};
use xtask::services::{Prometheus, Redis, free_port};

use super::{
    api::{now, until},
    board::{RULES, path},
};
use crate::support::{Child, PrivateRabbit, Proxy, example};

/// What fails is noticed after seconds, and read by one scrape a second; the rest is a machine out of breath.
const BOUND: Duration = Duration::from_secs(90);

/// How the worker whose connections fail is called in expressions.
const FAULTY: &str = "instance=~\".*:PORT\"";

pub(super) struct Stage {
    pub(super) prometheus: Prometheus,
    /// When the first worker was started, in seconds since 1970.
    pub(super) start: f64,
    rabbit: PrivateRabbit,
    rabbit_proxy: Proxy,
    redis_proxy: Proxy,
    ports: [u16; 3],
    workers: Vec<Child>,
    folder: tempfile::TempDir,
    redis: Redis,
}

fn worker(folder: &Path, port: u16, broker: &str, management: Option<&str>, locks: Option<&str>) -> Child {
    let mut command = Command::new(example("load-worker"));
    command.current_dir(folder).env("CELERIAC_METRICS_ADDR", format!("127.0.0.1:{port}"));
    command.env("CELERIAC_BROKER_URL", broker).env_remove("CELERIAC_LOCKS_URL").env_remove("CELERIAC_MANAGEMENT_URL");
    command.env("RUST_BACKTRACE", "0");
    if let Some(url) = management {
        command.env("CELERIAC_MANAGEMENT_URL", url);
    }
    if let Some(url) = locks {
        command.env("CELERIAC_LOCKS_URL", url);
    }
    Child::spawn(command)
}

impl Stage {
    /// Two workers over RabbitMQ and Redis, the first through proxies, and one over SQLite.
    pub(super) async fn set() -> Self {
        let rabbit = PrivateRabbit::start_with_management().await;
        let redis = spawn_blocking(|| Redis::start_with(&["--appendonly", "yes"])).await.unwrap();
        let redis = redis.unwrap_or_else(|error| panic!("{error}"));
        let redis_port = redis.url().rsplit(':').next().unwrap().split('/').next().unwrap().parse().unwrap();
        let (rabbit_proxy, redis_proxy) = (Proxy::to_port(rabbit.port()).await, Proxy::to_port(redis_port).await);
        let ports = [(); 3].map(|()| free_port().unwrap());
        let targets = ports.map(|port| format!("'127.0.0.1:{port}'")).join(", ");
        let rules = RULES.map(|file| format!("'{}'", path(file).display())).join(", ");
        let configuration = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\nrule_files: [{rules}]\n\
             scrape_configs: [{{ job_name: celeriac, static_configs: [{{ targets: [{targets}] }}] }}]\n"
        );
        let prometheus = spawn_blocking(move || Prometheus::start(&configuration)).await.unwrap();
        let prometheus = prometheus.unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Self {
            prometheus,
            start: now(),
            rabbit,
            rabbit_proxy,
            redis_proxy,
            ports,
            workers: Vec::new(),
            folder,
            redis,
        };
        stage.workers = (0..3).map(|number| stage.worker(number)).collect();
        stage.until("sum(up) == 3").await;
        stage.until("sum(celeriac_worker_ready) == 9").await;
        stage
    }

    fn worker(&self, number: usize) -> Child {
        let (port, folder) = (self.ports[number], self.folder.path());
        let (rabbit, management, redis) = (self.rabbit.url(), self.rabbit.management_url(), self.redis.url());
        match number {
            0 => {
                let (rabbit, redis) = (self.rabbit_proxy.url(&rabbit), self.redis_proxy.url(&redis));
                worker(folder, port, &rabbit, Some(&management), Some(&redis))
            }
            1 => worker(folder, port, &rabbit, Some(&management), Some(&redis)),
            _ => worker(folder, port, "sqlite://load.db", None, None),
        }
    }

    async fn until(&self, expr: &str) {
        let expr = expr.replace(FAULTY, &format!("instance=\"127.0.0.1:{}\"", self.ports[0]));
        until(self.prometheus.port(), &expr, BOUND).await;
    }

    /// What no ordinary load comes to.
    pub(super) async fn go_wrong(&mut self) {
        self.until("sum(celeriac_handlers_stuck) > 0").await;
        self.until("sum(celeriac_task_retries_total) > 0").await;
        for reason in ["error", "permanent", "panic", "unknown_task"] {
            self.until(&format!("sum(celeriac_dead_lettered_total{{reason=\"{reason}\"}}) > 0")).await;
        }
        for reason in ["busy", "rate_limited"] {
            self.until(&format!("sum(celeriac_task_deferrals_total{{reason=\"{reason}\"}}) > 0")).await;
        }

        // The broker is short of memory: it blocks those who publish.
        self.rabbit.ctl(&["set_vm_memory_high_watermark", "0.000001"]).await;
        self.until("sum(celeriac_publish_failures_total{reason=\"blocked\"}) > 0").await;
        self.until("sum(celeriac_settle_repeats_total{reason=\"blocked\"}) > 0").await;
        self.rabbit.ctl(&["set_vm_memory_high_watermark", "0.8"]).await;

        // A worker loses its broker, with what it held.
        self.rabbit_proxy.cut();
        self.until(&format!("sum(celeriac_worker_ready{{{FAULTY},check=\"broker\"}}) == bool 0")).await;
        self.until(&format!("sum(celeriac_publish_failures_total{{{FAULTY},reason=\"unreachable\"}}) > 0")).await;
        self.rabbit_proxy.restore();
        self.until("sum(celeriac_acks_lost_total) > 0").await;
        self.until("sum(celeriac_redeliveries_total) > 0").await;
        self.until("sum(celeriac_reconnects_total{backend=\"broker\"}) > 0").await;

        // And its lock store, while it holds a lease, for longer than that lives.
        let fresh = "(celeriac_lock_oldest_hold_seconds{FAULTY,lock=\"import\"} > 0) < 2";
        self.until(&format!("max({})", fresh.replace("FAULTY", FAULTY))).await;
        self.redis_proxy.cut();
        self.until("sum(celeriac_lease_renewals_total{result=\"failed\"}) > 0").await;
        self.until("sum(celeriac_leases_lost_total{reason=\"unreachable\"}) > 0").await;
        self.until("sum(celeriac_task_deferrals_total{reason=\"locks_unavailable\"}) > 0").await;
        self.redis_proxy.restore();
        self.until("sum(celeriac_reconnects_total{backend=\"locks\"}) > 0").await;

        // One is killed, as for its memory, and started again.
        self.workers[1].signal(Signal::SIGKILL);
        self.workers[1].wait().await;
        self.until("sum(up) == 2").await;
        self.workers[1] = self.worker(1);
        self.until("sum(up) == 3").await;
        self.until("sum(changes(celeriac_worker_start_time_seconds[5m])) > 0").await;
        self.until("sum(celeriac_worker_ready) == 9").await;
    }
}
