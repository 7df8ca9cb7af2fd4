-- expect: true
local moontide = require "moontide"

-- a handle works in any coroutine of its script, and waits as it should there
local a = moontide.account "it"
local co = coroutine.wrap(function() return a:conversations()().id end)
print(co():find ":" ~= nil)
