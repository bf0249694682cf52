-- ARGV: lease[, grace]. Answers 1 where it was there.
local lease = ARGV[1]
grace = tonumber(ARGV[2] or 0)

open(1)
local held, at = holder(lease)
local found
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
  pump()
end
close()
return found and 1 or 0
