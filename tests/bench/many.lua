-- Many idle live accounts of one script: "online" when all of them are.
local moontide = require "moontide"
local n, online = tonumber((...)), 0
for i = 1, n do
  local account = moontide.account("m" .. i)
  account:on("message", function(message, event) event.conversation:send(message.text) end)
  account:on("connected", function()
    online = online + 1
    if online == n then print "online" end
  end)
end
