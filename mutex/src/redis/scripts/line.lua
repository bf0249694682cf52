-- Those who wait: live ones, who are told, by rank; parked ones, who come back by themselves, by PARKED + rank.
local PARKED = 2 ^ 52

local function text(number)
  return string.format('%.0f', number)
end

local function waiting(lease)
  local kept = lock.line and redis.call('HGET', entries, lease)
  return kept and cmsgpack.unpack(kept) or nil
end

local function leave(lease)
  changed = true
  redis.call('ZREM', ranks, lease)
  redis.call('ZREM', deadlines, lease)
  return redis.call('HDEL', entries, lease) == 1
end

local function stand(entry)
  lasting(entry.ends)
  lock.line, extended = true, true
  redis.call('HSET', entries, entry.lease, cmsgpack.pack(entry))
  redis.call('ZADD', ranks, text(entry.due and PARKED + entry.rank or entry.rank), entry.lease)
  redis.call('ZADD', deadlines, text(entry.ends), entry.lease)
end

local function first(low, high)
  while lock.line do
    local lease = redis.call('ZRANGEBYSCORE', ranks, low, high, 'LIMIT', 0, 1)[1]
    if not lease then return end
    local entry = waiting(lease)
    if entry then return entry end
    leave(lease)
  end
end

local function first_live()
  return first('-inf', '(' .. text(PARKED))
end

local function first_parked()
  return first(text(PARKED), '+inf')
end

local function live_before(rank)
  return lock.line and redis.call('ZCOUNT', ranks, '-inf', '(' .. text(rank)) or 0
end

local function parked_before(rank)
  return lock.line and redis.call('ZCOUNT', ranks, text(PARKED), '(' .. text(PARKED + rank)) or 0
end

local function remove_stale()
  if not lock.line then return end
  for _, lease in ipairs(redis.call('ZRANGEBYSCORE', deadlines, '-inf', text(now), 'LIMIT', 0, STALE)) do
    leave(lease)
  end
end
