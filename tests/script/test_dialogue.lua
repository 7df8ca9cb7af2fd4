-- Handlers that ask and wait for an answer, that hang, and that are many: beside the others of their conversation.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end

local owner, guest = moontide.account "it", moontide.account "guest"
local chat = guest:conversation(owner.user)
local heard, log = {}, {}
local function said(text) for _, line in ipairs(heard) do if line == text then return true end end end
local function await(condition)
  local giving_up = moontide.now() + 20000
  while not condition() and moontide.now() < giving_up do moontide.sleep "2ms" end
end
guest:on("message", function(message) heard[#heard + 1] = message.text end)

local rivals = 0
owner:on("message", function(message, event)
  log[#log + 1] = "one:" .. message.text
  if message.text == "order" then
    local first = event.conversation:ask "what?"
    local second = event.conversation:ask({ text = "how many?" }, { timeout = "1m", from = guest.user })
    message:reply(("%s x %s"):format(second.text, first.text))
    log[#log + 1] = "ordered"
  elseif message.text == "ask in vain" then
    local ok, fault = moontide.try(event.conversation.ask, event.conversation, "anybody?", { timeout = "30ms", from = "nobody" })
    log[#log + 1] = ok and "?" or fault.code
  elseif message.text == "rival" then
    rivals = rivals + 1
    moontide.sleep "5ms"
    if rivals ~= 1 then log[#log + 1] = "two at once" end
    rivals = rivals - 1
  end
end)
owner:on("message", function(message)
  if message.text ~= "hang" then return end
  moontide.try(moontide.sleep, "1h")
  log[#log + 1] = "not reached"
end, { limit = "50ms" })
owner:on("message", function(message) log[#log + 1] = "two:" .. message.text end)

chat:send "order"
await(function() return said "what?" and log[#log] == "two:order" end)
check("while one handler asks, the next one is called", log[#log] == "two:order")
chat:send "tea"
await(function() return said "how many?" end)
chat:send "two"
await(function() return said "two x tea" end)
chat:send "after"
await(function() return log[#log] == "two:after" end)
check("conversation:ask takes its answers from the handlers",
  table.concat(log, " ") == "one:order two:order ordered one:after two:after")

log = {}
for _, text in ipairs { "order", "milk", "three", "beyond" } do chat:send(text) end
await(function() return log[#log] == "two:beyond" and said "three x milk" end)
check("answers that came before they were asked for are taken in order",
  said "three x milk" and table.concat(log, " "):find("ordered one:beyond two:beyond", 1, true))

log = {}
chat:send "ask in vain"
await(function() return log[#log] == "ask.timeout" end)
check("nobody answers: ask.timeout", table.concat(log, " ") == "one:ask in vain two:ask in vain ask.timeout")

log = {}
chat:send "hang"
chat:send "next"
await(function() return log[#log] == "two:next" end)
check("a handler that hangs is ended at its limit", table.concat(log, " ") == "one:hang two:hang one:next two:next")
for _ = 1, 5 do chat:send "rival" end
chat:send "rivals are through"
await(function() return log[#log] == "two:rivals are through" end)
check("handlers of one conversation never run at once", not table.concat(log, " "):find "at once")

local ok, fault = moontide.try(chat.ask, chat, "x", { timout = "5s" })
check("an unknown option of ask", not ok and fault.message:find("'timeout'", 1, true) ~= nil)
for message in owner:conversation(guest.user):history { limit = 1 } do
  check("message:reply outside of a handler", #message:reply "bye".id > 10)
end
local waiting = moontide.spawn(function() owner:conversation(guest.user):ask "are you there?" end)
await(function() return said "are you there?" end)
moontide.sleep "10ms"
owner:off()
ok, fault = moontide.try(waiting.join, waiting)
check("who asks when the account goes off is told", not ok and fault.code == "ask.ended")
guest:off()

local co = coroutine.create(function() moontide.sleep "20ms" return "slept" end)
local sleeper = moontide.spawn(function() return coroutine.resume(co) end)
moontide.sleep "5ms"
ok, fault = pcall(coroutine.resume, co)
check("a coroutine that waits is not resumed by another task", not ok and tostring(fault):find "waits" ~= nil)
sleeper:join()
check("and goes on by itself", coroutine.status(co) == "dead")
