"""One queue or one task, closely."""

from model import CALM, above, dashboard, graph, heatmap, row, some, stat, table, variable

T = '{J,task=~"$task"'
QT = '{J,queue=~"$queue",task=~"$task"'
Q = '{J,queue=~"$queue"'
FINISHED = f"celeriac_tasks_finished_total{QT}"
ENDED = f'{FINISHED},outcome=~"succeeded|skipped|failed|rejected|expired"}}'
BAD = f'{FINISHED},outcome=~"failed|rejected"}}'


def quantile(share, metric, labels, by="", window="[R]"):
    return f"histogram_quantile({share}, sum by (le{by}) (rate({metric}_bucket{labels}}}{window})))"


DASHBOARD = dashboard("tasks", "Tasks", "What each task does: rate, errors, duration, retries, and what runs now.", [
    variable("queue", "Queue", "label_values(celeriac_tasks_finished_total{J}, queue)"),
    variable("task", "Task", 'label_values(celeriac_tasks_finished_total{J,queue=~"$queue"}, task)'),
], [
    stat("Tasks ended", "Tasks that came to their end, without retries and deferrals. 0 while messages wait: look at readiness.", "ops", f"sum(rate({ENDED}[R]))", CALM, 4, 2),
    stat("Failed", "Share of the tasks that ended in a dead letter. Read why below, and the errors by `celeriac dead list QUEUE`.",
         "percentunit", f"sum(rate({BAD}[R])) / (sum(rate({ENDED}[R])) > 0) or vector(0)", above(0.01, 0.05), 4, 1),
    stat("Run time, p95", "95 of 100 runs were shorter. Compare it with the tasks' soft and hard limits.", "s",
         quantile(0.95, "celeriac_task_duration_seconds", T, window="[$__range]"), CALM, 4),
    stat("Wait for a slot, p95", "How long due messages wait. High: more slots or workers, see Overview, Busy slots.", "s",
         quantile(0.95, "celeriac_task_queue_wait_seconds", Q, window="[$__range]"), above(60, 300), 4),
    stat("Running", "Runs in progress now. As many as there are slots: see who takes them, below, and whether messages wait.", "short", f"sum(celeriac_tasks_running{T}}})", CALM, 4),
    stat("Oldest run", "Age of the oldest run in progress. Longer than the task ever needs: it hangs; its log says where, and a hard "
         "limit ends the next one.", "s", f"max(celeriac_task_oldest_run_seconds{T}}})", above(900, 3600), 4),

    row("Rate and errors"),
    graph("Ended, by task", "Who makes the load. Filter by queue and task above to look closer at one.", "ops", [(f"sum by (task) (rate({ENDED}[R]))", "{{task}}")], stacked=True),
    graph("Settled, by outcome and reason", "What became of deliveries that did not simply succeed. `deferred busy`: a lock is "
          "contended, see Locks. `retried`: see the log of one task.", "ops",
          [(some("outcome, reason", f'rate({FINISHED},outcome!="succeeded"}}[R])'), "{{outcome}} {{reason}}")]),
    graph("Failed, by task", "Share of the tasks that ended in a dead letter. One task at 100 % while others succeed: its code or "
          "what only it calls. All at once: what they share.", "percentunit",
          [(f"sum by (task) (rate({BAD}[R])) / (sum by (task) (rate({ENDED}[R])) > 0)", "{{task}}")], above(0.01, 0.05), top=1),
    graph("Retries, by task", "Failed attempts that will be repeated. Each takes a slot for nothing: when they rise, look at what "
          "the task calls before its attempts are spent.", "ops",
          [(f"sum by (task) (rate(celeriac_task_retries_total{QT}}}[R]))", "{{task}}")]),

    row("Duration"),
    graph("Run time, p95 by task", "Rising at an even load: look at what the task calls. Near the hard limit: raise the limit, or "
          "split the task.", "s", [(quantile(0.95, "celeriac_task_duration_seconds", T, ", task"), "{{task}}")]),
    graph("Run time of the chosen tasks", "p50 and p99 apart: a few runs are slow; filter by task and look at the log of one. "
          "Both rise: everything is slow.", "s",
          [(quantile(f"0.{p}", "celeriac_task_duration_seconds", T), f"p{p}") for p in (50, 95, 99)]),
    heatmap("Run time", "How many runs took how long. Two bands are two kinds of work: consider two tasks, with limits of "
            "their own.", f"sum by (le) (increase(celeriac_task_duration_seconds_bucket{T}}}[R]))"),
    heatmap("Wait for a slot", "How many messages waited how long after they were due. A band that climbs is a queue that "
            "grows.", f"sum by (le) (increase(celeriac_task_queue_wait_seconds_bucket{Q}}}[R]))"),

    row("What runs now"),
    graph("Running, by task", "Which task takes the slots. One that takes them all starves the others of its pool: give it a pool, "
          "or a semaphore, of its own.", "short", [(f"sum by (task) (celeriac_tasks_running{T}}})", "{{task}}")], stacked=True),
    graph("Oldest run, by task", "A line that climbs without end is a run that hangs.", "s",
          [(f"max by (task) (celeriac_task_oldest_run_seconds{T}}})", "{{task}}")], above(900, 3600)),
    graph("Deferred, by queue and reason", "Put off without an attempt being counted. `busy`: a lock is contended. `rate_limited`: "
          "more comes in than the limit lets through. `locks_unavailable`: mend the lock store.", "ops",
          [(some("queue, reason", f"rate(celeriac_task_deferrals_total{Q}}}[R])"), "{{queue}} {{reason}}")]),
    graph("Wait for a slot, by queue", "p95. Only this queue waits: its pool is too small, or one task fills it.", "s",
          [(quantile(0.95, "celeriac_task_queue_wait_seconds", Q, ", queue"), "{{queue}}")], above(60, 300)),

    table("Tasks", "Over the time that is shown; click a task to see it alone.", "task", [
        ("Ended", f"sum by (task) (increase({ENDED}[$__range]))", "short", CALM),
        ("Failed", f"sum by (task) (increase({BAD}[$__range]))", "short", above(1, 100)),
        ("Retried", f"sum by (task) (increase(celeriac_task_retries_total{QT}}}[$__range]))", "short", CALM),
        ("p50", quantile(0.5, "celeriac_task_duration_seconds", T, ", task", "[$__range]"), "s", CALM),
        ("p95", quantile(0.95, "celeriac_task_duration_seconds", T, ", task", "[$__range]"), "s", CALM),
        ("Slot time", f"sum by (task) (increase(celeriac_task_duration_seconds_sum{T}}}[$__range]))", "s", CALM),
        ("Running", f"sum by (task) (celeriac_tasks_running{T}}})", "short", CALM),
    ], link="celeriac-tasks"),
])
