-- ARGV: lease, grace. Answers 1 where it was held.
grace = tonumber(ARGV[2])
open(1)
reap()
local held, at = holder(ARGV[1])
if held then
  table.remove(holders, at)
  -- Its token is dead, even where nobody acquires the lock again.
  lock.fence, lock.reassert_until, changed = next_fence(), nil, true
  look(held[PROCESS], held[LEASE], 0)
  pump()
end
close()
return held and 1 or 0
