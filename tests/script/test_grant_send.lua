-- run: --grant read,send:3/h,send:100/d,send:to=single:*,send:to=room:777100
-- How much may be sent, and to whom: checked before anything leaves.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function fault_of(f, ...) local ok, fault = moontide.try(f, ...) return ok and {} or fault end

local account = moontide.account "guest"
local group, peer = account:conversation "group:777001", account:conversation "single:ratepeer"
local fault = fault_of(group.send, group, "x")
check("who is not named is not written to", fault.code == "grant.denied" and fault.message:find("group:777001", 1, true) ~= nil)
check("nor with an attachment", fault_of(group.send_image, group, { path = "small.png" }).code == "grant.denied"
  and fault_of(group.upload, group, "small.png").code == "grant.denied"
  and fault_of(group.send_command, group, "x").code == "grant.denied")
local other = account:conversation "room:777101"
check("nor is another room entered", fault_of(other.join, other).code == "grant.denied"
  and fault_of(other.leave, other).code == "grant.denied")
local sent
for i = 1, 3 do sent = peer:send("n" .. i) end
fault = fault_of(peer.send, peer, "n4")
check("the fourth within an hour is refused, and says when", fault.code == "grant.rate"
  and fault.message:find("3 messages in 3600 s", 1, true) ~= nil)
local message
for m in peer:history { limit = 1 } do message = m end
check("so are recalls, edits and answers", message.id == sent.id and fault_of(message.recall, message).code == "grant.rate"
  and fault_of(message.edit, message, "x").code == "grant.rate" and fault_of(message.reply, message, "x").code == "grant.rate")
local n = 0
for _ in peer:history {} do n = n + 1 end
check("three arrived", n == 3)
