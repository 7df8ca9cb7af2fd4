-- Does everything wrong that a script can do.
local moontide = require "moontide"
local kept = {}
moontide.account():on("message", function(message)
  print(message.text)
  if message.text == "throw" then error "on purpose" end
  while message.text == "loop" do kept.n = 1 end
  while message.text == "leak" do kept[#kept + 1] = ("x"):rep(10000):rep(2000) .. #kept end
end)
