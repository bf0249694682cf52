-- One lock, as `rules` has it: the state in one value, and those who wait in three keys that exist only while somebody does.
local grace = 0

local lock, changed, extended, state, entries, ranks, deadlines

-- KEYS[at] and the three behind it.
local function open(at)
  state, entries, ranks, deadlines = KEYS[at], KEYS[at + 1], KEYS[at + 2], KEYS[at + 3]
  local kept = redis.call('GET', state)
  lock = kept and cmsgpack.unpack(kept) or { fence = 0, ranks = 0, last = 0, holders = {} }
  changed, extended = false, false
end

-- Everything outlives its last instant by RETENTION, so that tokens keep rising; what an operator has set stays for good.
local function close()
  if not changed then return end
  local keep = math.max(math.ceil((lock.last - now) / 1000), 0) + RETENTION
  if lock.line then
    lock.line = redis.call('EXISTS', entries) == 1 or nil
  end
  if lock.line and extended then
    redis.call('PEXPIRE', entries, keep)
    redis.call('PEXPIRE', ranks, keep)
    redis.call('PEXPIRE', deadlines, keep)
  end
  if lock.resized then
    redis.call('SET', state, cmsgpack.pack(lock))
  else
    redis.call('SET', state, cmsgpack.pack(lock), 'PX', keep)
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
  for _, held in ipairs(lock.holders) do sum = sum + held.weight end
  return sum
end

local function holder(lease)
  for at, held in ipairs(lock.holders) do
    if held.lease == lease then return held, at end
  end
end

local function reap()
  local holders = lock.holders
  for at = #holders, 1, -1 do
    if holders[at].ends <= now then
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
  lock.holders[#lock.holders + 1] = {
    lease = who.lease, process = who.process, weight = who.weight, owner = who.owner,
    ends = lasting(now + ttl), since = now, fence = lock.fence,
  }
  return lock.fence
end

-- Until when the lock is kept back for a holder from before this server lost its memory.
local function kept_back()
  if lock.leases == 1 and lock.fence == 0 and grace > now then return grace end
end
