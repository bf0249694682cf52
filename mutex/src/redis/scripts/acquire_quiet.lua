-- The lock that has room and nobody waiting, in three commands and with nothing that it does not need. What this does not grant, and
-- everything else, is for the rest of the script.
do
  local kept = redis.call('GET', KEYS[1])
  local values = kept and { cmsgpack.unpack(kept) } or { 0, false, 0, false, 0, false }
  local asked, weight = tonumber(ARGV[5]), tonumber(ARGV[6])
  local fence, leases, rest = values[1], values[2] or asked, values[6]
  local room = leases - weight
  for at = HOLDERS, #values do
    local held = values[at]
    -- An end, or the same question again: that takes more than room.
    if held[ENDS] <= now or held[LEASE] == ARGV[1] then rest = true end
    room = room - held[WEIGHT]
  end
  local back = tonumber(ARGV[8] or 0)
  local kept_back = leases == 1 and fence <= back - MAX_TTL and back > now
  if room >= 0 and not rest and not kept_back then
    fence = math.max(now, fence + 1)
    local ends = now + ARGV[4]
    local last = math.max(values[5], ends)
    values[1], values[2], values[5] = fence, leases, last
    values[#values + 1] = { ARGV[1], ARGV[2], weight, ends, now, fence, false, ARGV[3] }
    redis.call('SET', KEYS[1], cmsgpack.pack(unpack(values)), 'PX', math.ceil((last - now) / 1000) + RETENTION)
    if leases == asked then return fence end
    return { 1, fence, leases }
  end
end
