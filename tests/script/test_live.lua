-- Two live accounts in one script: what one sends, the other hears.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end

local owner, guest = moontide.account "it", moontide.account "guest"
check("accounts can be live", owner:can "live" and owner:can "send")
check("an unknown event is named", select(2, moontide.try(owner.on, owner, "mesage", print)).code == "event.unknown")

local heard, order, read, recalled, edited = {}, {}, nil, nil, nil
local connected = 0
owner:on("connected", function() connected = connected + 1 end)
owner:on("message", function(message, event)
  heard[#heard + 1] = message.text
  if message.text == "slow" then moontide.sleep "20ms" end
  order[#order + 1] = message.text
  if message.text == "fail" then error "on purpose" end
  if message.text == "read me" then message:mark_read() end
  if message.text == "answer" then
    local sent = event.conversation:send { text = "here", ext = { n = 1, list = { 1, 2 }, yes = true } }
    check("conversation:send tells the id", #sent.id > 10 and sent.time > 0)
  end
  if message.text == "end" then owner:off() end
end)
guest:on("read", function(message) read = message.target end)
guest:on("message", function(message)
  check("the answer is whole", message.text == "here" and message.ext.n == 1 and message.ext.list[2] == 2 and message.ext.yes)
end)
owner:on("edited", function(message) edited = message.text end)
owner:on("recalled", function(message) recalled = message.target end)

local chat = guest:conversation(owner.user)
while connected == 0 do moontide.sleep "5ms" end
chat:send "slow"
chat:send "fail"
local to_read = chat:send "read me"
chat:send "answer"
local mine = chat:send "first words"
local newest -- of ours: the answer may come later
for message in chat:history { limit = 5 } do
  if message.from == guest.user then newest = newest or message end
end
check("the newest is ours", newest.id == mine.id)
newest:edit "better words"
while not edited do moontide.sleep "5ms" end -- a cloud may tell of nothing but the recall, if that is there as well
newest:recall "a mistake"
local ok, fault = moontide.try(chat.send, chat, { kind = "txet" })
check("an unknown kind names the nearest", not ok and fault.message:find("'text'", 1, true) ~= nil)
ok, fault = moontide.try(chat.send, chat, { kind = "custom" })
check("what a kind needs is said", not ok and fault.code == "send.field")
ok = moontide.try(chat.send, chat, { text = "x", ext = "no map" })
check("an ext that is no map is refused", not ok)
owner:conversation(guest.user):mark_read()
chat:send "end"
while order[#order] ~= "end" or not read do moontide.sleep "5ms" end
local text = table.concat(order, ",")
-- the cloud takes a recalled message from who has not heard it yet
text = text:gsub(",%l+ words", "") -- and who hears late hears it as it is by then
check("handlers of one conversation run in order", text == "slow,fail,read me,answer,end")
check("a handler that fails hurts no other", heard[3] == "read me")
check("the owner connected once", connected == 1)
check("message:mark_read reaches the sender", read == to_read.id)
check("message:edit reaches the other", edited == "better words")
check("message:recall reaches the other", recalled == mine.id)
guest:off()
