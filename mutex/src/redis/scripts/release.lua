-- ARGV: lease, grace[, the process that waits for the answer]. Answers 1 where it was there, 0 where not; or, where that concerns waiters of
-- that process, {1 or 0, leases, {lease, fence, ttl of each that was handed one}, {lease and look in of the head} or {}}.
local lease = ARGV[1]
grace = tonumber(ARGV[2] or 0)

open(1)
local held, at = holder(lease)
local found, handed, head
if held then
  found = held[ENDS] > now
  table.remove(holders, at)
  changed = true
  -- An exponentially weighted mean: each hold counts a fifth.
  local hold = math.max(now - held[SINCE], 0)
  lock.mean_hold = lock.mean_hold and math.floor((lock.mean_hold * 4 + hold) / 5) or hold
else
  found = lock.line and leave(lease)
end
if held or found then
  reap()
  handed, head = pump(ARGV[3])
end
close()
if handed then return { found and 1 or 0, lock.leases, handed, head or {} } end
return found and 1 or 0
