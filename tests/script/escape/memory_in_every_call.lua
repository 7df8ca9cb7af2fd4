-- expect: went on
local moontide = require "moontide"

-- whatever is called when there is no memory left raises, and the script goes on
local a = moontide.account "it"
local c = a:conversation "bob"
local functions = { moontide.json.encode, moontide.duration, moontide.log.debug, moontide.every, tostring, string.rep, load,
  require, a.conversation, c.json, c.history, c.history_page, moontide.account, moontide.accounts, table.concat, string.format,
  string.gsub, string.find, coroutine.create, coroutine.wrap, table.pack, moontide.arg.string }
local empty, kept, n = {}, {}, 1 << 20
local function take() kept[#kept + 1] = ("x"):rep(n) .. #kept end
while n > 8 do
  pcall(moontide.sleep, 0)
  if not pcall(take) then n = n // 2 end
end
for i = 1, #functions do
  pcall(functions[i], c, "1")
  pcall(functions[i], "1", "2")
  pcall(functions[i], empty, "x")
  pcall(moontide.sleep, 0)
end
kept = nil
print "went on"
