-- The echo that the benchmark asks: what comes to the account goes back to whoever sent it.
local moontide = require "moontide"
local account = moontide.account "it"
account:on("connected", function() print "online" end)
account:on("message", function(message, event) event.conversation:send(message.text) end)
