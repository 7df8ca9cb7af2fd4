-- Says what it hears.
local moontide = require "moontide"
local word = ...
local account = moontide.account()
account:on("message", function(message) print(word .. " " .. message.text) end)
account:on("connected", function() print "online" end)
account:on("disconnected", function() print "disconnected" end)
