-- expect: grant.denied
local moontide = require "moontide"

return moontide.script { name = "x", summary = "x", grant = { read = true }, run = function()
  local co = coroutine.wrap(function() moontide.account("it"):conversation("bob"):send "x" end)
  moontide.spawn(co):join()
end }
