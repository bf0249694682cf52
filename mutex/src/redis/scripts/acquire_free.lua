-- The lock that nobody holds or waits for, in three commands and with nothing that it does not need. What this does not grant, and
-- everything else, is for the rest of the script.
do
  local fence, leases, ranks, mean_hold, last, rest, held = 0, false, 0, false, 0, false, nil
  local kept = redis.call('GET', KEYS[1])
  if kept then fence, leases, ranks, mean_hold, last, rest, held = cmsgpack.unpack(kept) end
  local asked, weight = tonumber(ARGV[5]), tonumber(ARGV[6])
  leases = leases or asked
  local kept_back = leases == 1 and fence == 0 and tonumber(ARGV[8] or 0) > now
  if not held and not rest and weight <= leases and not kept_back then
    fence = math.max(now, fence + 1)
    local ends = now + ARGV[4]
    last = math.max(last, ends)
    redis.call('SET', KEYS[1], cmsgpack.pack(
      fence, leases, ranks, mean_hold, last, false, { ARGV[1], ARGV[2], weight, ends, now, fence, false, ARGV[3] }),
      'PX', math.ceil((last - now) / 1000) + RETENTION)
    if leases == asked then return fence end
    return { 1, fence, leases }
  end
end
