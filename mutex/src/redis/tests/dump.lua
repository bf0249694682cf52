-- KEYS: the four of a lock. Answers all that there is of it, or an error where its parts disagree.
local state, entries, ranks, deadlines = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local function number(value) return value or -1 end
local function flag(value) return value and 1 or 0 end
local kept = redis.call('GET', state)
local lock = { fence = 0, ranks = 0 }
local held_now = {}
local function read(fence, leases, rank, mean_hold, last, rest, ...)
  lock = rest or {}
  lock.fence, lock.leases, lock.ranks, lock.mean_hold, held_now = fence, leases, rank, mean_hold, { ... }
  for _, held in ipairs(held_now) do
    if held[4] > last then return redis.error_reply('ERR a holder outlives its lock') end
  end
end
if kept then
  local failed = read(cmsgpack.unpack(kept))
  if failed then return failed end
end

local holders = {}
for at, held in ipairs(held_now) do
  held[7] = flag(held[7])
  holders[at] = held
end
local waiters = {}
for _, lease in ipairs(redis.call('ZRANGE', ranks, 0, -1)) do
  local entry = cmsgpack.unpack(redis.call('HGET', entries, lease))
  local rank = tonumber(redis.call('ZSCORE', ranks, lease))
  if rank ~= (entry.due and 2 ^ 52 or 0) + entry.rank then return redis.error_reply('ERR rank of ' .. lease) end
  if tonumber(redis.call('ZSCORE', deadlines, lease)) ~= entry.ends then return redis.error_reply('ERR end of ' .. lease) end
  waiters[#waiters + 1] = {
    entry.rank, entry.lease, entry.process, entry.weight, entry.ttl, entry.since, entry.ends, number(entry.due), entry.owner,
  }
end
local count = #waiters
if redis.call('HLEN', entries) ~= count or redis.call('ZCARD', deadlines) ~= count then
  return redis.error_reply('ERR the three keys of those who wait differ')
end
if flag(lock.line) ~= flag(count > 0) then return redis.error_reply('ERR the state does not know that somebody waits') end
for at, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  local persists = at == 1 and lock.resized
  if redis.call('EXISTS', key) == 1 and not persists and left < 3600000 - 60000 then
    return redis.error_reply('ERR ' .. key .. ' is kept for ' .. left .. ' ms')
  end
  if persists and left ~= -1 then return redis.error_reply('ERR what an operator set does not stay') end
end
return {
  number(lock.leases), flag(lock.resized), lock.fence, lock.ranks, number(lock.mean_hold), number(lock.reassert_until),
  lock.passers or {}, holders, waiters,
}
