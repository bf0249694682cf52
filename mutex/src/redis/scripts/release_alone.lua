-- The only holder of a lock that nobody waits for, in three commands and with nothing that it does not need.
do
  local kept = redis.call('GET', KEYS[1])
  if not kept then return 0 end
  local fence, leases, ranks, mean_hold, last, rest, held, other = cmsgpack.unpack(kept)
  if held and held[LEASE] == ARGV[1] and not other and not rest then
    local hold = math.max(now - held[SINCE], 0)
    mean_hold = mean_hold and math.floor((mean_hold * 4 + hold) / 5) or hold
    redis.call('SET', KEYS[1], cmsgpack.pack(fence, leases, ranks, mean_hold, last, false),
      'PX', math.ceil(math.max(last - now, 0) / 1000) + RETENTION)
    return held[ENDS] > now and 1 or 0
  end
end
