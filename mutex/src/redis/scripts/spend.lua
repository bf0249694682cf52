-- A rate limit is one instant: when all that was spent will have come back. ARGV, in microseconds: what is spent, the burst,
-- the horizon. Answers {1} now, {2, wait} reserved, {0, wait} refused.
local spent, burst, horizon = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local back = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + spent
local wait = back - burst - now
if wait > horizon then return { 0, wait } end
if back > now then
  redis.call('SET', KEYS[1], string.format('%.0f', back), 'PX', math.ceil((back - now) / 1000))
end
return wait > 0 and { 2, wait } or { 1 }
