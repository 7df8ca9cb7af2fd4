-- Stays in the first message for good.
local moontide = require "moontide"
local account = moontide.account()
account:on("connected", function() print "online" end)
account:on("message", function()
  print "stays"
  moontide.sleep "1h"
end)
