//! The comparison with the rules is only worth what it finds: each of these changes to a script has to be found.

use std::future::ready;

use futures_util::{StreamExt, stream};

use super::model::agree;

/// What is changed, and into what.
const MUTANTS: &[(&str, &str, &str)] = &[
    ("anybody may release what is held", "if values[at][LEASE] == ARGV[1] then", "if true then"),
    (
        "whoever releases is taken for the oldest holder",
        "local held, at = holder(lease)\nlocal found",
        "local held, at = holders[1], 1\nlocal found",
    ),
    ("a grant by hand-off is not on probation", "math.min(head.ttl, PROBATION)", "head.ttl"),
    (
        "a grant by an answer is on probation",
        "ours and head.ttl or math.min(head.ttl, PROBATION)",
        "math.min(head.ttl, PROBATION)",
    ),
    ("an answer grants what others wait for", "local ours = head.process == here", "local ours = here ~= nil"),
    ("an answer grants nothing", "local ours = head.process == here", "local ours = false"),
    (
        "who is granted by an answer is told twice",
        "if ours or tell(head.process, 'g', head.lease)",
        "if tell(head.process, 'g', head.lease) or ours",
    ),
    ("an answer does not say who is the next", "look_at = { head.lease, look_in() }", ""),
    ("what concerns others is said by an answer", "if head and head.process == here then", "if head and here then"),
    (
        "a release frees two",
        "  table.remove(holders, at)\n  changed = true\n  -- An exp",
        "  table.remove(holders, at)\n  table.remove(holders, 1)\n  changed = true\n  -- An exp",
    ),
    (
        "a release frees nothing",
        "  table.remove(holders, at)\n  changed = true\n  -- An exp",
        "  changed = true\n  -- An exp",
    ),
    ("the clock is the client's, which is slow", "local grace = 0\n", "local grace = 0\nnow = now - 250000\n"),
    ("tokens may repeat", "return math.max(now, lock.fence + 1)", "return math.max(now, lock.fence)"),
    ("leases do not end", "if holders[at][ENDS] <= now then", "if false then"),
    ("weights do not count", "sum = sum + holders[at][WEIGHT]", "sum = sum + 1"),
    ("a heavy waiter is overtaken", "return not (head and head.rank < rank) and not kept_until(rank)", "return true"),
    ("the last comes first", "lock.ranks = math.max(lock.ranks, rank)", "lock.ranks = lock.ranks"),
    ("parked places are never waited for", "if instant > now then return instant end", ""),
    ("parked places are not counted as passed over", "passers[#passers + 1] = rank", ""),
    ("a place may be used twice", "  leave(place)\n", ""),
    ("a place loses its rank", "rank, since = left.rank, left.since", ""),
    ("dead waiters stay", "    if head.ends <= now then\n      leave(head.lease)\n    elseif", "    if"),
    ("those who do not hear are granted", "> 0\n  end\n  -- A list", ">= 0\n  end\n  -- A list"),
    (
        "a lost lease is held",
        "  if held and (held[ENDS] > now or (fence == lock.fence and not first_live())) then",
        "  if held then",
    ),
    (
        "a lease ends though nobody wants it",
        "(held[ENDS] > now or (fence == lock.fence and not first_live()))",
        "(held[ENDS] > now)",
    ),
    ("anybody's word is taken for a lease", "if may_reassert and forgot(fence) then", "if may_reassert then"),
    ("nobody's word is taken for a lease", "if may_reassert and forgot(fence) then", "if false then"),
    ("a word given for a lease exceeds the leases", "if used() + ask.weight > lock.leases then return 0 end", ""),
    ("the grace is not kept", "and grace > now then return grace end", "and false then return grace end"),
    (
        "what a server remembers is not kept back",
        "lock.fence <= grace - MAX_TTL and grace",
        "lock.fence == 0 and grace",
    ),
    (
        "what a server remembers is given to whoever comes first",
        "fence <= back - MAX_TTL and back",
        "fence == 0 and back",
    ),
    ("an old holder is in the way of the last", "if holders[at][FENCE] <= fence then", "if false then"),
    ("a lock whose holder is known is kept back", "kept_back() and grace - MAX_TTL + 1 or 0", "0"),
    ("the grace is not kept by whoever comes first", "and not rest and not kept_back then", "and not rest then"),
    ("whoever finds room overtakes the line", "if room >= 0 and not rest and", "if room >= 0 and"),
    (
        "a repeated question finds room",
        "if held[ENDS] <= now or held[LEASE] == ARGV[1] then",
        "if held[ENDS] <= now then",
    ),
    (
        "who has ended is taken along",
        "if held[ENDS] <= now or held[LEASE] == ARGV[1] then",
        "if held[LEASE] == ARGV[1] then",
    ),
    ("there is always room", "if room >= 0 and", "if"),
    ("a release does not wake the line", "if found and not rest then", "if found then"),
    ("a revocation is forgotten", "held[REVOKED], changed = true, true", "changed = true"),
    (
        "a token outlives a forced release",
        "lock.fence, lock.reassert_until, changed = next_fence(), nil, true",
        "changed = true",
    ),
    ("the next one is not told to look", "  elseif head then\n    look(head.process, head.lease, look_in())\n", ""),
    (
        "a repeated question takes a second lease",
        "local held = holder(ask.lease)\nif held then return again(held) end\n\nlocal rank",
        "local held\n\nlocal rank",
    ),
    (
        "a waiter who asks again is granted twice",
        "held = lock.line and holder(ask.lease)\nif held then return again(held) end",
        "",
    ),
    (
        "who leaves the line stays in it",
        "return redis.call('HDEL', entries, lease) == 1",
        "return redis.call('HEXISTS', entries, lease) == 1",
    ),
    ("keys end with what they hold", "+ RETENTION\n  if lock.line then", "+ 1\n  if lock.line then"),
    ("the keys of those who wait stay for ever", "    redis.call('PEXPIRE', ranks, keep)\n", ""),
    (
        "what an operator set ends",
        "  if lock.resized then\n    redis.call('SET', state, text)\n  else",
        "  if false then\n  else",
    ),
];

#[tokio::test]
async fn every_change_to_the_scripts_is_found() {
    let hunts = MUTANTS.iter().map(|(what, from, to)| async move {
        let mut found = false;
        for seed in 1000..1006 {
            if !found && let Err(difference) = agree(seed, 600, false, &[(from, to)]).await {
                // A script that does not even run would prove nothing.
                assert!(!difference.contains("is unavailable"), "{what}: {difference}");
                found = true;
            }
        }
        (!found).then_some(what)
    });
    // Most of the time each of them waits for the server.
    let survivors: Vec<&&str> = stream::iter(hunts).buffer_unordered(8).filter_map(ready).collect().await;
    assert!(survivors.is_empty(), "not found: {survivors:#?}");
}
