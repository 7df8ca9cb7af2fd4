-- expect: grant.denied
local moontide = require "moontide"

-- a method that was taken before the grant was narrowed asks what is granted now
local send = moontide.account("it"):conversation("bob").send
return moontide.script { name = "x", summary = "x", grant = { read = true }, run = function()
  send(moontide.account("it"):conversation "bob", "x")
end }
