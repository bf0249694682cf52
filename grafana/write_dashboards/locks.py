"""Who waits for which lock, how long, and what was lost."""

from model import CALM, above, any_is_bad, dashboard, graph, heatmap, row, some, stat, table, variable

L = '{J,lock=~"$lock"'


def quantile(share, metric, by="", window="[R]"):
    return f"histogram_quantile({share}, sum by (le{by}) (rate({metric}_bucket{L}}}{window})))"


WAIT, HOLD = "celeriac_lock_wait_seconds", "celeriac_lock_hold_seconds"

DASHBOARD = dashboard("locks", "Locks and semaphores", "Contention, waits and holds, waiters, and leases that were lost.", [
    variable("lock", "Lock", "label_values(celeriac_lock_wait_seconds_count{J}, lock)"),
], [
    stat("Leases lost", "In the time that is shown. Another may have run the same work: see the reason below, and check what the "
         "holders wrote.", "short", f"sum(increase(celeriac_leases_lost_total{L}}}[$__range]))", any_is_bad(), 4, 0),
    stat("Renewals that failed", "In the time that is shown. The lock store did not answer; if that lasts, leases are lost. Look at "
         "Redis.", "short", 'sum(increase(celeriac_lease_renewals_total{J,result="failed"}[$__range]))', above(1, 10), 4, 0),
    stat("Waiters", "Who stands in line or was put off, over all locks.", "short",
         f"sum(max by (kind, lock) (celeriac_lock_waiters{L}}}))", above(50, 500), 4),
    stat("Wait, p95", "From the first question until the lock was granted. High: narrow the key, hold shorter, or give the semaphore "
         "more leases.", "s", quantile(0.95, WAIT, window="[$__range]"), above(10, 60), 4),
    stat("Hold, p95", "How long leases are held. It bounds what a lock lets through: 1 / hold for each lease.", "s",
         quantile(0.95, HOLD, window="[$__range]"), CALM, 4),
    stat("Oldest hold", "Age of the oldest lease. Longer than the work under it ever needs: `celeriac lock list --held` says who holds "
         "it; `celeriac lock revoke LOCK` asks for it.", "s", f"max(celeriac_lock_oldest_hold_seconds{L}}})", above(300, 900), 4),

    row("Contention"),
    graph("Waiters, by lock", "A line that only rises: more work arrives than the lock lets through. Narrow the key, hold it shorter, "
          "or raise the semaphore: `celeriac semaphore resize`.", "short",
          [(f"max by (kind, lock) (celeriac_lock_waiters{L}}})", "{{kind}} {{lock}}")], above(50, 500)),
    graph("Wait for a lock, p95", "Time that a task was put off for the lock included. Rising with the hold beside it: what runs under "
          "the lock has become slow. Rising alone: more work arrives.", "s",
          [(quantile(0.95, WAIT, ", kind, lock"), "{{kind}} {{lock}}")], above(10, 60)),
    graph("Hold, p95", "How long leases are held. Rising: everybody behind waits longer; look at what runs under that lock.", "s", [(quantile(0.95, HOLD, ", kind, lock"), "{{kind}} {{lock}}")]),
    graph("Oldest hold", "A line that climbs without end: its holder hangs, and everybody behind it waits. `celeriac lock show LOCK` "
          "names it; `celeriac lock revoke LOCK` asks it to let go.", "s",
          [(f"max by (kind, lock) (celeriac_lock_oldest_hold_seconds{L}}})", "{{kind}} {{lock}}")], above(300, 900)),
    heatmap("Wait for a lock", "How many grants waited how long. A band far above the others is a line that somebody stands in.",
            f"sum by (le) (increase({WAIT}_bucket{L}}}[R]))"),
    graph("Grants", "Leases that were granted. Flat at 1 / hold: the lock is the bottleneck.", "ops",
          [(f"sum by (kind, lock) (rate({WAIT}_count{L}}}[R]))", "{{kind}} {{lock}}")]),

    row("In use"),
    graph("Semaphores: held of their limit", "At 100 % for long: the semaphore is what slows the work. If what it protects bears more, "
          "`celeriac semaphore resize NAME --leases N` counts at once.", "percentunit",
          [(f"max by (lock) (celeriac_semaphore_held{L}}}) / (max by (lock) (celeriac_semaphore_limit{L}}}) > 0)", "{{lock}}")],
          above(0.9, 1), top=1, width=8),
    graph("Semaphores: leases", "Held, and how many there are over all keys in use.", "short",
          [(f"max by (lock) (celeriac_semaphore_held{L}}})", "{{lock}} held"),
           (f"max by (lock) (celeriac_semaphore_limit{L}}})", "{{lock}} limit")], width=8),
    graph("Mutexes: keys that are held", "Work under different keys runs side by side. At 1 for long where the mutex has no key: its "
          "tasks run one after another; give it a key, if they need not.", "short",
          [(f"max by (lock) (celeriac_mutex_held{L}}})", "{{lock}}")], width=8),

    row("Safety"),
    graph("Leases lost, by reason", "Each is work that another may have begun. `unreachable`: the store did not answer for a ttl. "
          "`taken`: the process stood still (CPU limits, swap), or an operator released it. `overlong`: the task is past its hard "
          "limit. `revoked`: an operator asked.", "short",
          [(some("lock, reason", f"increase(celeriac_leases_lost_total{L}}}[R])"), "{{lock}} {{reason}}")], any_is_bad()),
    graph("Renewals, by result", "`failed`: the store does not answer. `lost`: it answered that the lease is another's.", "ops",
          [("sum by (result) (rate(celeriac_lease_renewals_total{J}[R]))", "{{result}}")]),
    graph("Deferred for a lock or a rate limit", "Tasks that gave their slot back meanwhile. `locks_unavailable`: mend the lock store; "
          "tasks wait, none is lost.", "ops",
          [(some("queue, reason", 'rate(celeriac_task_deferrals_total{J,reason=~"busy|rate_limited|locks_unavailable|'
                 'lease_revoked"}[R])'), "{{queue}} {{reason}}")]),
    table("Locks", "Over the time that is shown. `celeriac lock list --name NAME` shows the keys of one, and who holds them.", "lock", [
        ("Granted", f"sum by (kind, lock) (increase({WAIT}_count{L}}}[$__range]))", "short", CALM),
        ("Waiting", f"max by (kind, lock) (celeriac_lock_waiters{L}}})", "short", above(50, 500)),
        ("Wait, p95", quantile(0.95, WAIT, ", kind, lock", "[$__range]"), "s", above(10, 60)),
        ("Hold, p95", quantile(0.95, HOLD, ", kind, lock", "[$__range]"), "s", CALM),
        ("Oldest", f"max by (kind, lock) (celeriac_lock_oldest_hold_seconds{L}}})", "s", above(300, 900)),
        ("Lost", f"sum by (kind, lock) (increase(celeriac_leases_lost_total{L}}}[$__range]))", "short", any_is_bad()),
    ], width=12, height=8),
])
