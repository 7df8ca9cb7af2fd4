-- expect: grant.denied
local moontide = require "moontide"

local description
description = moontide.script { name = "x", summary = "x", grant = { read = true }, run = function()
  description.grant.http, description.grant.send = true, true
  description.grant = { send = true, http = true }
  print(moontide.try(moontide.http.get, "https://127.0.0.1/"))
  moontide.account("it"):conversation("bob"):send "x"
end }
return description
