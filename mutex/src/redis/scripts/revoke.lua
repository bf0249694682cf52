-- ARGV: lease. Answers 1 where it is held: its holder is told to look, and learns of it.
open(1)
-- What has ended is left to those who hand it on.
local held = holder(ARGV[1])
if held and held[ENDS] <= now then held = nil end
if held then
  held[REVOKED], changed = true, true
  look(held[PROCESS], held[LEASE], 0)
end
close()
return held and 1 or 0
