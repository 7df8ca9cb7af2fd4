-- expect: went on
local moontide = require "moontide"

local long = ("x"):rep(9000000)
local a = moontide.account "it"
local c = a:conversation "bob"
for _, f in ipairs { a.conversation, moontide.account, moontide.duration, moontide.time, moontide.json.decode, moontide.cron,
  require, load, string.format, os.date, moontide.arg.string } do
  moontide.sleep(0)
  moontide.try(f, long)
  moontide.sleep(0)
  moontide.try(f, a, long)
end
for _, key in ipairs { "cursor", "from", "since", "kinds", "order" } do
  moontide.sleep(0)
  moontide.try(c.history, c, { [key] = long })
end
moontide.try(c.set_draft, c, long)
moontide.try(c.upload, c, long)
moontide.try(moontide.archive, long, { account = a })
moontide.try(moontide.verify, long)
moontide.try(function() moontide.store[long] = 1 end)
print "went on"
