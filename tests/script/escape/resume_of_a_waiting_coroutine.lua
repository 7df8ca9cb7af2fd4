-- expect: goes on by itself
local moontide = require "moontide"

local co
moontide.spawn(function() co = coroutine.create(function() moontide.sleep "1h" end) coroutine.resume(co) end)
moontide.sleep(5)
print(pcall(coroutine.resume, co))
error "goes on by itself, or not"
