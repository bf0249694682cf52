"""What went wrong and was mended by itself, and what was not."""

from model import CALM, above, any_is_bad, dashboard, graph, row, some, stat, table, timeline, variable

Q = '{J,queue=~"$queue"'


def count(metric, labels="{J"):
    return f"sum(increase({metric}{labels}}}[$__range]))"


DASHBOARD = dashboard("reliability", "Reliability", "Retries, dead letters, redeliveries, reconnects, publishing, stuck handlers.", [
    variable("queue", "Queue", "label_values(celeriac_redeliveries_total{J}, queue)"),
], [
    stat("Retries", "In the time that is shown. Something that tasks call fails now and then: see who, below.", "short",
         count("celeriac_task_retries_total", Q), above(100, 10000), decimals=0),
    stat("Buried", "Messages that workers made dead letters in the time that is shown: `celeriac dead list QUEUE`.", "short",
         count("celeriac_dead_lettered_total", Q), above(1, 100), decimals=0),
    stat("Redeliveries", "Deliveries of messages whose worker died or lost its connection. Look for killed workers, and at "
         "reconnects.", "short", count("celeriac_redeliveries_total", Q), above(1, 100), decimals=0),
    stat("Acks lost", "Runs whose message the broker had taken back: they run again. Look at reconnects, and at RabbitMQ's "
         "`consumer_timeout` against the hard limits.", "short", count("celeriac_acks_lost_total"), any_is_bad(), decimals=0),
    stat("Reconnects", "One is a restart or a failover. Many: the network, or a heartbeat that a busy host misses.", "short",
         count("celeriac_reconnects_total"), above(1, 10), decimals=0),
    stat("Publishes failed", "Their callers were told. See the reason below.", "short", count("celeriac_publish_failures_total"),
         any_is_bad(), decimals=0),
    stat("Stuck handlers", "They block their thread past their hard limit; each has lost its slot. Restart the worker, and move the "
         "blocking call to `spawn_blocking`.", "short", "sum(celeriac_handlers_stuck{J})", any_is_bad()),
    stat("Queues without reporter", "Nobody tells their depth: the broker or the lock store does not answer.", "short",
         f"count(max by (job, queue) (celeriac_queue_reporter{Q}}})) - sum(max by (job, queue) (celeriac_queue_reporter{Q}}}))",
         any_is_bad()),

    row("Retries and dead letters"),
    graph("Retries, by task", "Failed attempts that will be repeated. When they rise and failures do not, retries hide that something "
          "is ill.", "ops", [(f"sum by (task) (rate(celeriac_task_retries_total{Q}}}[R]))", "{{task}}")], width=8),
    graph("Buried, by queue and reason", "`poison`: the message kills workers. `unknown_task`: deploy the worker before the "
          "producer. `error`: its attempts are spent; mend the cause, then `celeriac dead retry QUEUE`.", "short",
          [(some("queue, reason", f"increase(celeriac_dead_lettered_total{Q}}}[R])"), "{{queue}} {{reason}}")], width=8),
    graph("Dead letters waiting", "They stay until somebody decides. What the broker itself buries shows only here.", "short",
          [(f'max by (job, queue) (celeriac_queue_depth{Q},state="dead"}})', "{{queue}}")], above(1, 100), width=8),

    row("Deliveries that were lost and came again"),
    graph("Redeliveries, by queue", "Peaks with a deployment or a crash. Steady: a worker dies again and again (memory), or its "
          "connection does.", "short",
          [(f"sum by (queue) (increase(celeriac_redeliveries_total{Q}}}[R]))", "{{queue}}")], width=8),
    graph("Acks lost", "Work that was done and will be done again. Idempotent tasks bear it; others want a fencing token.", "short",
          [("sum by (job) (increase(celeriac_acks_lost_total{J}[R]))", "{{job}}")], any_is_bad(), width=8),
    graph("Settling that is repeated, by reason", "A retry, deferral or dead letter could not be put in its message's place, and is "
          "tried again; its slot stays busy. The broker is down, full or blocked, as the reason says.", "ops",
          [(some("reason", "rate(celeriac_settle_repeats_total{J}[R])"), "{{reason}}")], width=8),

    row("Connections and health"),
    timeline("Readiness", "What /readyz found. `consumers`: a subscription is lost; `broker`: a message to itself did not come back; "
             "`locks`: the lock store does not answer. All workers at once: the service; one: its host.",
             [("min by (instance, check) (celeriac_worker_ready{J})", "{{instance}} {{check}}")], ["not ready", "ready"]),
    graph("Reconnects, by backend", "A steady rise is a network, or a heartbeat that a blocked host misses.", "short",
          [("sum by (instance, backend) (increase(celeriac_reconnects_total{J}[R]))", "{{instance}} {{backend}}")]),
    graph("Broker round trip", "How long a worker's message to itself took. High for all: the broker is slow. For one: its host or "
          "network is.", "s", [("max by (instance) (celeriac_broker_round_trip_seconds{J})", "{{instance}}")], above(0.5, 1)),
    graph("Time since start", "A saw tooth: the worker crashes or is killed, see its log and the kernel's (OOM).", "s",
          [("time() - max by (instance) (celeriac_worker_start_time_seconds{J})", "{{instance}}")]),

    row("Publishing"),
    graph("Published", "Confirmed by the broker. When it falls and nobody expects it, look at those who call the producer.", "ops",
          [("sum by (job) (rate(celeriac_published_total{J}[R]))", "{{job}}")], width=8),
    graph("Publishes that failed, by reason", "`blocked`: memory or disk alarm at the broker. `unreachable`: the broker, or the way to "
          "it. `unroutable`: the queue was deleted. `nacked`: the queue is at its limit. `unconfirmed`: it may be there or not.", "short",
          [(some("reason", "increase(celeriac_publish_failures_total{J}[R])"), "{{reason}}")], any_is_bad(), width=8),
    graph("Publish to confirmation", "Rising: the broker's disk is slow, or it is short of CPU.", "s",
          [(f"histogram_quantile(0.{p}, sum by (le) (rate(celeriac_publish_duration_seconds_bucket{{J}}[R])))", f"p{p}")
           for p in (50, 95, 99)], above(1, 5), width=8),

    row("What needs somebody"),
    graph("Stuck handlers, by task", "Each has lost its slot until it returns. Restart the worker; move the call that blocks to "
          "`spawn_blocking`.", "short", [(some("instance, task", "celeriac_handlers_stuck{J}"), "{{instance}} {{task}}")], any_is_bad(), width=7),
    graph("Queues, by reporter", "How many queues each worker reports. A worker that falls to 0 hands over; all at 0: the broker or "
          "the lock store does not answer.", "short",
          [(f"sum by (instance) (celeriac_queue_reporter{Q}}})", "{{instance}}")], width=6),
    table("Alerts that fire", "Each has a runbook in docs/operations.md, under its name.", "alertname", [
        ("Firing", 'count by (alertname, severity, queue, lock, reason) '
         '(ALERTS{alertname=~"Celeriac.*", alertstate="firing"})', "none", CALM)], width=11, height=8),
])
