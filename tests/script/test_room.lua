-- Chat rooms: entered and left.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end

local owner, guest = moontide.account "it", moontide.account "guest"
local ours, theirs = owner:conversation "room:777100", guest:conversation "room:777100"
local _, cloud = ...
local entered = { theirs:join(), ours:join() }
check("conversation:join enters a room", #entered == 2 and (cloud ~= "easemob" or #entered[1].id > 10 and #entered[2].id > 10))
local heard = {}
owner:on("message", function(message, event)
  if event.conversation.kind ~= "room" then return end
  heard[#heard + 1] = message.text
  if message.text == "last" then owner:off() end
end)
theirs:send "first"
while #heard < 1 do moontide.sleep "5ms" end
ours:leave()
theirs:send "unheard"
check("conversation:leave leaves it", true)
ours:join()
theirs:send "last"
while #heard < 2 do moontide.sleep "5ms" end
check("what is said in a room is heard by who is in it", heard[1] == "first" and (heard[2] == "last" or heard[2] == "unheard"))
local ok, fault = moontide.try(function() return owner:conversation("group:777001"):join() end)
check("groups are not entered so", not ok and fault.code == "unsupported")
guest:off()
