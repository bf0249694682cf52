-- Instants are microseconds since 1970 by this server's clock, which is read once: two readings of one script may differ.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
