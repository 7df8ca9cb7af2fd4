-- Takes a second for each message, all through waits.
local moontide = require "moontide"
local account = moontide.account()
account:on("connected", function() print "online" end)
account:on("message", function(message)
  print("begun " .. message.text)
  moontide.sleep "1s"
  print("ended " .. message.text)
end)
