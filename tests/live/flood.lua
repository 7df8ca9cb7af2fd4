-- flood.lua N: the guest writes N messages to the account "it", and two to a group of both, and tells their ids.
local moontide = require "moontide"
local n = math.tointeger(tonumber((...)))
local guest, owner = moontide.account "guest", moontide.account "it"
local chat = guest:conversation(owner.user)
local group = guest:conversation "group:777003"
local function send(conversation, text) print("sent " .. conversation:send(text).id) end
local room = guest:conversation "room:888"
room:join()
send(room, "r1")
send(group, "g1")
for i = 1, n do send(chat, "f" .. i) end
send(group, "g2")
