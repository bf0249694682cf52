-- ARGV: lease. Answers 1 where it is held: its holder is told to look, and learns of it.
open(1)
reap()
local held = holder(ARGV[1])
if held then
  held[REVOKED], changed = true, true
  look(held[PROCESS], held[LEASE], 0)
end
close()
return held and 1 or 0
