-- ARGV: lease. Answers 1 where it is held: its holder is told to look, and learns of it.
open(1)
reap()
local held = holder(ARGV[1])
if held then
  held.revoked, changed = true, true
  look(held.process, held.lease, 0)
end
close()
return held and 1 or 0
