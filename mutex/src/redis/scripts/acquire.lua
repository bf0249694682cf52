-- ARGV: lease, process, owner, ttl, leases, weight, how[, grace, place, jitter]; a capital `how` is that of an unfair asker.
-- Answers {1, fence, leases} granted, or the fence alone where that is what was asked; {0, retry in, waiting, owner} busy; {2, position, look in} queued;
-- {3, position, delay, owner} parked; {4, leases} more than there are.
local ask = {
  lease = ARGV[1], process = ARGV[2], owner = ARGV[3], ttl = tonumber(ARGV[4]), weight = tonumber(ARGV[6]),
}
local how, place = string.lower(ARGV[7]), ARGV[9]
local fair = how == ARGV[7]
grace = tonumber(ARGV[8] or 0)

open(1)
-- It would wait for ever.
if lock.leases and ask.weight > lock.leases then return { 4, lock.leases } end
reap()
remove_stale()
if not lock.leases then
  lock.leases, changed = tonumber(ARGV[5]), true
end

-- The reply to the same question was lost, or it was handed over just now.
local function again(held)
  held[ENDS] = lasting(now + ask.ttl)
  close()
  return { 1, held[FENCE], lock.leases }
end

local held = holder(ask.lease)
if held then return again(held) end

local rank, since = lock.ranks + 1, now
local own = waiting(ask.lease)
local left = not own and place and place ~= '' and waiting(place)
if own then
  rank, since = own.rank, own.since
elseif left and left.due then
  leave(place)
  rank, since = left.rank, left.since
end

-- Whoever was ahead and can be served is served first.
pump()
held = lock.line and holder(ask.lease)
if held then return again(held) end

local function may_take()
  if ask.weight > lock.leases - used() then return false end
  if not fair then return true end
  local head = first_live()
  return not (head and head.rank < rank) and not kept_until(rank)
end

-- Queueing askers wait for the restarted server's grace to end; others are told to come back then.
if not kept_back() and may_take() then
  pass_over(rank)
  if lock.line then leave(ask.lease) end
  local fence = grant(ask, ask.ttl)
  close()
  return { 1, fence, lock.leases }
end

local function wait_for(position, jitter)
  local back, oldest = kept_back(), 0
  local kept = back and math.floor((back - now) * (1.25 - jitter / 4)) or 0
  for at = 1, #holders do oldest = math.max(oldest, now - holders[at][SINCE]) end
  local hold = lock.mean_hold or UNKNOWN_HOLD
  -- One hold that lasts is waited for once, not by each position.
  local longer = math.max(math.floor(oldest / 2) - hold, 0)
  local expected = math.min(math.floor(hold * position / math.max(lock.leases, 1)) + longer, PLACE_DELAY_MAX)
  return kept + math.max(math.min(math.floor(expected * jitter), PLACE_DELAY_MAX), PLACE_DELAY_MIN)
end

local function line_up(instant, due)
  lock.ranks = math.max(lock.ranks, rank)
  stand({
    rank = rank, lease = ask.lease, process = ask.process, weight = ask.weight, ttl = ask.ttl, owner = ask.owner,
    since = since, ends = now + instant, due = due,
  })
end

local oldest = holders[1] and holders[1][OWNER]
local answer
if how == 'n' then
  local count = lock.line and redis.call('ZCARD', ranks) or 0
  answer = { 0, wait_for(1, 1), count, oldest }
elseif how == 'w' then
  local position = live_before(rank) + 1
  line_up(WAITER_TTL)
  answer = { 2, position, look_in() }
else
  local position = live_before(rank) + parked_before(rank) + 1
  local delay = wait_for(position, tonumber(ARGV[10]))
  line_up(delay + PLACE_GRACE, now + delay)
  answer = { 3, position, delay, oldest }
end
close()
return answer
