-- Every account of the job is online and hears its own; "read" reads all of them.
local moontide = require "moontide"
local names = moontide.accounts()
local function read_all()
  for _, name in ipairs(names) do
    for conversation in moontide.account(name):conversations() do
      for _ in conversation:history { limit = 1 } do end
    end
  end
  print "all were read"
end
for _, name in ipairs(names) do
  local account = moontide.account(name)
  account:on("connected", function() print(name .. " online") end)
  account:on("message", function(message)
    print(name .. " heard " .. message.text)
    if message.text == "read" then read_all() end
  end)
end
