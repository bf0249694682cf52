-- KEYS: four for each lock. Answers {leases, used, waiting} for each, or 0 where nothing is left but its fence.
local answers = {}
for at = 1, #KEYS, 4 do
  open(at)
  reap()
  local count = lock.line and redis.call('ZCARD', ranks) or 0
  local idle = #holders == 0 and not lock.resized and count == 0
  answers[#answers + 1] = idle and 0 or { lock.leases or 0, used(), count }
end
return answers
