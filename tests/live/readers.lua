-- Four runs: the account "it" joins a group; "guest" asks it for receipts and goes; "it" reads; "guest" comes back.
local moontide = require "moontide"
local part = ...
local account = moontide.account((part == "ask" or part == "return") and "guest" or "it")
local group = account:conversation "group:777002"
if part == "join" then group:send "here" end
if part == "ask" then group:send { text = "who reads this", receipts = true } end
if part == "read" then
  for message in group:history { limit = 1 } do message:mark_read() end
end
if part == "return" then
  account:on("statistic", function(event)
    for _, entry in ipairs(event.data.group_ack) do
      for _, count in pairs(entry) do print("read by " .. count) end
    end
    account:off()
  end)
end
