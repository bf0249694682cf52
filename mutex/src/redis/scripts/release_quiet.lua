-- A holder of a lock that nobody waits for, in three commands and with nothing that it does not need. The rest of the script is for
-- those who wait.
do
  local kept = redis.call('GET', KEYS[1])
  if not kept then return 0 end
  local values = { cmsgpack.unpack(kept) }
  local rest, found = values[6], nil
  for at = HOLDERS, #values do
    if values[at][LEASE] == ARGV[1] then
      found = at
    elseif values[at][ENDS] <= now then
      rest = true
    end
  end
  if found and not rest then
    local held = table.remove(values, found)
    local hold, mean_hold = math.max(now - held[SINCE], 0), values[4]
    values[4] = mean_hold and math.floor((mean_hold * 4 + hold) / 5) or hold
    redis.call('SET', KEYS[1], cmsgpack.pack(unpack(values)),
      'PX', math.ceil(math.max(values[5] - now, 0) / 1000) + RETENTION)
    return held[ENDS] > now and 1 or 0
  end
end
