-- Sends N numbered messages to the bot, then a last one; prints the ids.
local moontide = require "moontide"
local n = tonumber((...))
local chat = moontide.account "guest":conversation(moontide.account "it".user)
for i = 1, n do
  print("sent " .. chat:send("line " .. i).id)
  if i % 5 == 0 then moontide.sleep "10ms" end
end
