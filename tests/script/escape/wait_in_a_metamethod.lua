-- expect: script.cannot_wait
local moontide = require "moontide"

local t = setmetatable({}, { __index = function() moontide.sleep(1) end })
table.sort({ 1, 2 }, function() return t.x end)
