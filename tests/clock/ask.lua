-- What the cloud's clock is known to be, before it was asked anything and after; then as many waits as lines come.
local moontide = require "moontide"
local account = moontide.account "it"
local function say(when)
  local clock = account:clock()
  print(when, clock.known, clock.off_ms and ("%.0f"):format(clock.off_ms / 1000) or "-")
end
say "before"
account:doctor()
say "after"
