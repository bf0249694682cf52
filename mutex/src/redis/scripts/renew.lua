-- KEYS: four for each entry, those of one lock side by side. ARGV: grace, then for each entry
-- lease, process, owner, ttl, leases, weight, fence or '', whether it may be re-asserted.
-- Answers for each: 0 lost, 1 held, 2 held but revoked, {fence, leases} granted, {0, position, look in} waiting.
grace = tonumber(ARGV[1])

-- Whether this server has lost its memory of the grant of that token: it knows of none as late, or was told so by another holder's word.
local function forgot(fence)
  return lock.fence < fence or (lock.reassert_until ~= nil and lock.reassert_until > now)
end

-- Takes a holder's word for its lease.
local function reassert(ask, leases, fence)
  if not lock.leases then
    lock.leases, changed = leases, true
  end
  if lock.leases == 1 then
    -- Whoever had it before has let go of it since.
    for at = #holders, 1, -1 do
      if holders[at][FENCE] <= fence then
        table.remove(holders, at)
        changed = true
      end
    end
  end
  if used() + ask.weight > lock.leases then return 0 end
  if not lock.reassert_until or lock.reassert_until <= now then lock.reassert_until = now + ask.ttl end
  -- Nobody else can have it: it is not kept back any more.
  local last = math.max(lock.fence, fence, kept_back() and grace - MAX_TTL + 1 or 0)
  grant(ask, ask.ttl)
  lock.fence = last
  holders[#holders][FENCE] = fence
  return 1
end

local function wait_on(ask, leases, entry)
  entry.ends = now + WAITER_TTL
  stand(entry)
  pump()
  local held = holder(ask.lease)
  if held then
    -- Its process is here: no probation.
    held[ENDS] = lasting(now + ask.ttl)
    return { held[FENCE], lock.leases or leases }
  end
  return { 0, live_before(entry.rank) + 1, look_in() }
end

local function renew(ask, leases, fence, may_reassert)
  local held = holder(ask.lease)
  -- A lease that has ended, but that nobody wanted since, goes on as if it had not.
  if held and (held[ENDS] > now or (fence == lock.fence and not first_live())) then
    held[ENDS] = lasting(now + ask.ttl)
    if fence then return held[REVOKED] and 2 or 1 end
    return { held[FENCE], lock.leases or leases }
  end
  reap()
  remove_stale()
  if fence then
    if may_reassert and forgot(fence) then return reassert(ask, leases, fence) end
    pump()
    return 0
  end
  local entry = waiting(ask.lease)
  if entry then return wait_on(ask, leases, entry) end
  -- What was handed to it may just have ended, and others wait.
  pump()
  return 0
end

local answers = {}
for at = 1, #KEYS, 4 do
  local from = at * 2
  if KEYS[at] ~= state then
    if state then close() end
    open(at)
  end
  local ask = {
    lease = ARGV[from], process = ARGV[from + 1], owner = ARGV[from + 2], ttl = tonumber(ARGV[from + 3]),
    weight = tonumber(ARGV[from + 5]),
  }
  answers[#answers + 1] =
    renew(ask, tonumber(ARGV[from + 4]), tonumber(ARGV[from + 6]), ARGV[from + 7] == '1')
end
if state then close() end
return answers
