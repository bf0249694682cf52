-- ARGV: how many of those who wait to pass over, and how many to show. Changes nothing.
-- Answers nothing where there is no lock; otherwise {leases, resized, used, fence, mean hold or -1, holders, waiters, how many of those there were}.
if redis.call('EXISTS', KEYS[1]) == 0 then return end
open(1)
reap()
local present, waiters = {}, {}
for at, held in ipairs(holders) do
  present[at] = {
    held[LEASE], held[OWNER], held[WEIGHT], held[SINCE], held[ENDS] - now, held[FENCE], held[REVOKED] and 1 or 0,
  }
end
local from = tonumber(ARGV[1])
-- By rank, live or parked: two sorted ranges would have to be merged, and a page of each is no page of both.
local leases = lock.line and redis.call('ZRANGE', ranks, from, from + ARGV[2] - 1) or {}
for _, lease in ipairs(leases) do
  local entry = waiting(lease)
  if entry then
    waiters[#waiters + 1] =
      { entry.rank, entry.lease, entry.owner, entry.weight, entry.since, entry.due or -1, entry.ends - now }
  end
end
return {
  lock.leases or 0, lock.resized and 1 or 0, used(), lock.fence, lock.mean_hold or -1, present, waiters, #leases,
}
