-- Counts different messages, durably: one that comes again after a kill is known.
local moontide = require "moontide"
local account = moontide.account "it"
local store = moontide.store
print("begins with " .. (store.count or 0))
account:on("connected", function() print "online" end)
account:on("message", function(message)
  if not store["seen " .. message.id] then
    store["seen " .. message.id] = true
    store.count = (store.count or 0) + 1
  end
  print(store.count .. " different")
end)
