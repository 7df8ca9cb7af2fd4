-- A bot that says what it hears, for an absence that the cloud's queue could not hold. It listens before it does
-- anything that takes time: what nobody listens to is not kept.
local moontide = require "moontide"
local account = moontide.account "it"
account:on("gap", function(event)
  print("gap " .. (event.conversation and event.conversation.id or "*") .. " " .. event.fault.code)
end)
account:on("message", function(message, event)
  print("got " .. message.id .. " " .. event.conversation.id .. (event.data.filled and " filled" or ""))
  if message.text == "end" then account:off() end
end)
account:on("connected", function(event) print("connected " .. (event.data.since and "gap" or "whole")) end)
account:conversation("room:888"):join()
