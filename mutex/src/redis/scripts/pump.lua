-- Hands what is free to those who wait.

-- Tells a process about one of its leases: what, the lease, the lock. False where nobody hears: its connection is gone, and with it the process, or it will ask again.
local function tell(process, news, lease)
  local hint = news .. ' ' .. lease .. ' ' .. string.sub(state, #NAMESPACE + 2, -2)
  if string.sub(process, 1, 1) == 'p' then
    return redis.call('PUBLISH', NAMESPACE .. process, hint) > 0
  end
  -- A list that the process blocks on; what nobody takes vanishes.
  local inbox = NAMESPACE .. process
  if redis.call('RPUSH', inbox, hint) == 1 then redis.call('PEXPIRE', inbox, INBOX) end
  return true
end

local function look(process, lease, after)
  return tell(process, 'l' .. text(after), lease)
end

-- The ranks that were served past `rank`.
local function passed(rank)
  local later = {}
  for _, passer in ipairs(lock.passers or {}) do
    if passer > rank then later[#later + 1] = passer end
  end
  return later
end

-- Until when the lock is kept for a parked place before `rank` that was passed over too often.
local function kept_until(rank)
  if not lock.passers or #lock.passers < MAX_BYPASS then return end
  local place = first_parked()
  if not place or place.rank >= rank or #passed(place.rank) < MAX_BYPASS then return end
  local instant = place.due + LATENESS
  if instant > now then return instant end
end

-- Remembers that a lease goes to `rank`, where that is past the first of those who are away.
local function pass_over(rank)
  local place = first_parked()
  local passers = place and passed(place.rank) or {}
  if place and rank > place.rank then passers[#passers + 1] = rank end
  if #passers > MAX_BYPASS then
    local lowest = 1
    for at = 2, #passers do
      if passers[at] < passers[lowest] then lowest = at end
    end
    table.remove(passers, lowest)
  end
  lock.passers = #passers > 0 and passers or nil
end

-- When the head of the line should ask again, should nobody tell it.
local function look_in()
  local back = kept_back()
  if back then return back - now end
  local after
  for at = 1, #holders do
    local left = math.max(holders[at][ENDS] - now, 0)
    if not after or left < after then after = left end
  end
  local head = first_live()
  local kept = head and kept_until(head.rank)
  if kept and (not after or kept - now < after) then after = kept - now end
  return after or WAITER_TTL
end

-- Those of `here`, which waits for the answer to its release, are told by that answer: what they were handed, and the head of them and when
-- it should look. They have nothing to confirm.
local function pump(here)
  if not lock.line or not lock.leases or kept_back() then return end
  local granted, handed, head, look_at = false, {}, nil, nil
  for _ = 1, AT_ONCE do
    head = first_live()
    if not head then break end
    if head.ends <= now then
      leave(head.lease)
    elseif head.weight > lock.leases then
      -- There are fewer leases than when it came: it asks again, and is told so.
      leave(head.lease)
      look(head.process, head.lease, 0)
    elseif head.weight > lock.leases - used() or kept_until(head.rank) then
      -- Strict: those behind a heavy one wait with it, or it would wait for ever.
      break
    else
      leave(head.lease)
      local ours = head.process == here
      if ours or tell(head.process, 'g', head.lease) then
        pass_over(head.rank)
        local fence = grant(head, ours and head.ttl or math.min(head.ttl, PROBATION))
        if ours then
          local at = #handed
          handed[at + 1], handed[at + 2], handed[at + 3] = head.lease, fence, head.ttl
        end
        granted = true
      end
    end
  end
  head = granted and head and first_live()
  if head and head.process == here then
    look_at = { head.lease, look_in() }
  elseif head then
    look(head.process, head.lease, look_in())
  end
  if look_at or #handed > 0 then return handed, look_at end
end
