-- expect: went on
local moontide = require "moontide"

local c = moontide.account("it"):conversation "bob"
for _, n in ipairs { math.mininteger, -1, 0, math.maxinteger, 2^53, -2^63, 1 / 0, -1 / 0, 0 / 0, 1e308, 0.5 } do
  moontide.try(c.history, c, { limit = n })
  moontide.try(c.history_page, c, { limit = n, since = n, ["until"] = n })
  moontide.try(c.mark, c, n)
  moontide.try(moontide.ago, n)
  moontide.try(moontide.duration, n)
  moontide.try(moontide.time, n)
  moontide.try(moontide.every, n, function() end)
  moontide.try(moontide.spawn, moontide.sleep, n)
  moontide.try(moontide.spawn, c.ask, c, "x", { timeout = n })
  moontide.try(moontide.progress, { done = n, total = n })
  moontide.try(moontide.json.encode, { n })
  moontide.try(table.concat, {}, "", n, n)
  moontide.try(table.move, {}, n, n, n)
  moontide.try(table.insert, {}, n, 1)
  moontide.try(table.remove, {}, n)
  moontide.try(string.rep, "x", n > 1000 and -n or n)
  moontide.try(("x").sub, "x", n, n)
  moontide.try(("x").find, "x", "x", n)
  moontide.try(utf8.offset, "x", n)
end
moontide.sleep(20)
error "went on"
