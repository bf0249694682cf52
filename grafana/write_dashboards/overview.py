"""What is stuck, and since when."""

from model import CALM, above, any_is_bad, below, dashboard, graph, row, some, stat, table, variable

Q = '{J,queue=~"$queue"'
FINISHED = "celeriac_tasks_finished_total"
ENDED = f'{FINISHED}{Q},outcome=~"succeeded|skipped|failed|rejected|expired"}}'
BAD = f'{FINISHED}{Q},outcome=~"failed|rejected"}}'
OUTCOMES = [("succeeded", "green"), ("failed", "red"), ("rejected", "dark-red"), ("expired", "dark-orange"), ("retried", "orange"),
            ("deferred", "blue"), ("skipped", "purple"), ("revoked", "text")]

DASHBOARD = dashboard("overview", "Overview", "Rate, errors, duration, backlog and saturation of all workers.", [
    variable("queue", "Queue", "label_values(celeriac_tasks_finished_total{J}, queue)"),
], [
    stat("Workers", "Workers that are scraped. Fewer than you have deployed: the others are down, or not scraped; look at the "
         "targets of Prometheus.", "short", "count(celeriac_worker_info{J})", below(1)),
    stat("Not ready", "Workers of which a check fails. See which one under Reliability, Readiness.", "short",
         "count(min by (job, instance) (celeriac_worker_ready{J})) - sum(min by (job, instance) (celeriac_worker_ready{J}))",
         any_is_bad()),
    stat("Alerts firing", "Each has a runbook in docs/operations.md, under its name.", "short",
         'count(ALERTS{alertname=~"Celeriac.*", alertstate="firing"}) or vector(0)', any_is_bad()),
    stat("Tasks ended", "Tasks that came to their end: retries and deferrals don't count. 0 while messages are ready: look at "
         "the workers' readiness and at busy slots.", "ops", f"sum(rate({ENDED}[R]))", CALM, decimals=2),
    stat("Failed", "Share of the tasks that ended in a dead letter. Above 1 %: see the reasons below.", "percentunit",
         f"sum(rate({BAD}[R])) / (sum(rate({ENDED}[R])) > 0) or vector(0)", above(0.01, 0.05), decimals=1),
    stat("Oldest ready message", "How long the oldest message has been waiting for a slot; over RabbitMQ, which cannot tell, the "
         "95th percentile of the waits. It is what users feel: add slots or workers, or stop what floods the queue.", "s",
         f"max(max(celeriac_queue_oldest_age_seconds{Q}}}) or histogram_quantile(0.95, sum by (le) "
         f"(rate(celeriac_task_queue_wait_seconds_bucket{Q}}}[R]))))", above(60, 300)),
    stat("Busy slots", "Share of all slots that hold a delivery. At 100 % for long while messages are ready: add slots or "
         "workers.", "percentunit", "sum(celeriac_pool_slots_busy{J}) / sum(celeriac_pool_slots{J})", above(0.8, 0.95), decimals=0),
    stat("Dead letters", "Messages that were given up on and wait for a decision: `celeriac dead list QUEUE`, mend the cause, "
         "`celeriac dead retry QUEUE`.", "short", f'sum(max by (job, queue) (celeriac_queue_depth{Q},state="dead"}}))', above(1, 100)),

    row("Rate and errors"),
    graph("Deliveries settled, by outcome", "All that workers finish. `retried` rising while `succeeded` falls: something that "
          "tasks call is ill. Everything at 0: no work, or no worker that is ready.", "ops",
          [(f"sum by (outcome) (rate({FINISHED}{Q}}}[R]))", "{{outcome}}")], stacked=True, colors=OUTCOMES),
    graph("Failed and rejected, by reason", "What was buried, and why. `unknown_task` or `bad_arguments`: producer and worker "
          "are of different versions. `poison`: it kills workers. Others: read the error by `celeriac dead list QUEUE`.", "ops",
          [(some("queue, reason", f"rate({BAD}[R])"), "{{queue}} {{reason}}")]),

    row("Duration and waiting"),
    graph("Run time", "Of all tasks together. p99 far above p50 is a few slow tasks: see which under Tasks.", "s",
          [(f"histogram_quantile(0.{p}, sum by (le) (rate(celeriac_task_duration_seconds_bucket{{J}}[R])))", f"p{p}")
           for p in (50, 95, 99)]),
    graph("Wait for a slot, p95 by queue", "From the moment a message was due until a slot took it. Rising with busy slots: too "
          "little capacity. Rising with idle slots: workers are not ready, or paused by the broker.", "s",
          [(f"histogram_quantile(0.95, sum by (le, queue) (rate(celeriac_task_queue_wait_seconds_bucket{Q}}}[R])))", "{{queue}}")],
          above(60, 300)),

    row("Backlog"),
    graph("Ready messages", "What waits for a slot. A line that only rises: more comes in than goes out. Compare with the rate "
          "above: has it fallen, or has the inflow risen?", "short",
          [(f'max by (job, queue) (celeriac_queue_depth{Q},state="ready"}})', "{{queue}}")], width=8),
    graph("Oldest ready message", "How long the oldest message has been due. RabbitMQ cannot tell it: there, look at the wait for "
          "a slot.", "s", [(f"max by (job, queue) (celeriac_queue_oldest_age_seconds{Q}}})", "{{queue}}")],
          above(60, 300), width=8),
    graph("Busy slots, by pool", "At 100 %: the pool is the bottleneck. Give it more slots if CPU and what its tasks call have "
          "room, else add workers.", "percentunit",
          [("sum by (job, pool) (celeriac_pool_slots_busy{J}) / sum by (job, pool) (celeriac_pool_slots{J})", "{{pool}}")],
          above(0.8, 0.95), width=8, top=1),

    row("Queues and workers"),
    table("Queues", "One line a queue; click one for its tasks. Consumers at 0 while messages are ready: start a worker that "
          "serves the queue. Empty cells are what the broker cannot tell.", "queue", [
              ("Ready", f'max by (queue) (celeriac_queue_depth{Q},state="ready"}})', "short", CALM),
              ("Running", f'max by (queue) (celeriac_queue_depth{Q},state="running"}})', "short", CALM),
              ("Delayed", f'max by (queue) (celeriac_queue_depth{Q},state="delayed"}})', "short", CALM),
              ("Dead", f'max by (queue) (celeriac_queue_depth{Q},state="dead"}})', "short", above(1, 100)),
              ("Consumers", f"max by (queue) (celeriac_queue_consumers{Q}}})", "short", below(1)),
              ("Oldest", f"max by (queue) (celeriac_queue_oldest_age_seconds{Q}}})", "s", above(60, 300)),
              ("Wait, p95", "histogram_quantile(0.95, sum by (le, queue) "
               f"(rate(celeriac_task_queue_wait_seconds_bucket{Q}}}[$__range])))", "s", above(60, 300)),
          ], width=13, link="celeriac-tasks"),
    table("Workers", "Who is there. Two versions for long: a deployment is stuck.", "worker", [
        ("Up", "max by (worker, version, queues, broker, locks) (celeriac_worker_info{J})", "none", CALM)], width=11),
])
