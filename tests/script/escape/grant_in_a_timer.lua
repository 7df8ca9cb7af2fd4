-- expect: grant.denied
local moontide = require "moontide"

return moontide.script { name = "x", summary = "x", grant = { read = true }, run = function()
  moontide.every(10, function()
    local _, fault = moontide.try(function() moontide.account("it"):conversation("bob"):send "x" end)
    print(fault.code)
    error "on purpose"
  end)
  moontide.sleep(50)
  error "over"
end }
