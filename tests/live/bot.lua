-- A bot that writes down what it dealt with, line by line, and answers nothing.
local moontide = require "moontide"
local account = moontide.account "it"
account:on("connected", function(event) print("connected " .. event.data.away_ms) end)
account:on("disconnected", function() print "disconnected" end)
account:on("message", function(message)
  print("got " .. message.id .. " " .. message.text)
  moontide.sleep "1ms" -- a moment in which a kill finds it handled and not acknowledged
  if message.text == "end" then account:off() end
end)
