-- Goes on when its session has ended.
local moontide = require "moontide"
local account = moontide.account()
account:on("connected", function() print "online" end)
account:on("kicked", function() print "kicked" end)
moontide.every("1h", print)
