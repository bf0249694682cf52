-- One lock, as `rules` has it: the state in one value, and those who wait in three keys that exist only while somebody does.
-- The state is fence, leases, ranks, mean hold, last instant, the rest, and then the holders, oldest first: values one after the other,
-- because that is read and written fastest.
local grace = 0

local lock, holders, changed, extended, state, entries, ranks, deadlines

local function read(fence, leases, ranks, mean_hold, last, rest, ...)
  lock = rest or {}
  lock.fence, lock.leases, lock.ranks, lock.mean_hold, lock.last = fence, leases, ranks, mean_hold, last
  holders = { ... }
end

-- KEYS[at] and the three behind it.
local function open(at)
  state, entries, ranks, deadlines = KEYS[at], KEYS[at + 1], KEYS[at + 2], KEYS[at + 3]
  local kept = redis.call('GET', state)
  if kept then read(cmsgpack.unpack(kept)) else read(0, false, 0, false, 0, false) end
  changed, extended = false, false
end

-- What most locks have none of.
local function rest()
  if lock.line or lock.resized or lock.reassert_until or lock.passers then
    return {
      line = lock.line, resized = lock.resized, reassert_until = lock.reassert_until, passers = lock.passers,
    }
  end
  return false
end

-- Everything outlives its last instant by RETENTION, so that tokens keep rising; what an operator has set stays for good.
local function close()
  if not changed then return end
  local keep = math.ceil(math.max(lock.last - now, 0) / 1000) + RETENTION
  if lock.line then
    lock.line = redis.call('EXISTS', entries) == 1 or nil
  end
  if lock.line and extended then
    redis.call('PEXPIRE', entries, keep)
    redis.call('PEXPIRE', ranks, keep)
    redis.call('PEXPIRE', deadlines, keep)
  end
  local text = cmsgpack.pack(
    lock.fence, lock.leases, lock.ranks, lock.mean_hold, lock.last, rest(), unpack(holders))
  if lock.resized then
    redis.call('SET', state, text)
  else
    redis.call('SET', state, text, 'PX', keep)
  end
end

-- Moves an end, and with it how long the keys are kept.
local function lasting(instant)
  if instant > lock.last then lock.last = instant end
  changed = true
  return instant
end

local function used()
  local sum = 0
  for at = 1, #holders do sum = sum + holders[at][WEIGHT] end
  return sum
end

local function holder(lease)
  for at = 1, #holders do
    if holders[at][LEASE] == lease then return holders[at], at end
  end
end

local function reap()
  for at = #holders, 1, -1 do
    if holders[at][ENDS] <= now then
      table.remove(holders, at)
      changed = true
    end
  end
end

local function next_fence()
  return math.max(now, lock.fence + 1)
end

-- `who` has a lease, a process, a weight and an owner.
local function grant(who, ttl)
  lock.fence = next_fence()
  holders[#holders + 1] =
    { who.lease, who.process, who.weight, lasting(now + ttl), now, lock.fence, false, who.owner }
  return lock.fence
end

-- Until when the lock is kept back for a holder from before this server lost its memory. What it remembers is from before it was started:
-- who was given a lock later is not known.
local function kept_back()
  if lock.leases == 1 and lock.fence <= grace - MAX_TTL and grace > now then return grace end
end
