-- expect: script.cannot_wait
local moontide = require "moontide"
local x = "x"
x:gsub("x", function() moontide.sleep(1) end)
