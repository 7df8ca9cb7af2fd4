-- expect: grant.denied
local moontide = require "moontide"

-- what is read a second time is not what is granted
local n = 0
local grant = setmetatable({ read = true }, { __index = function() n = n + 1 return true end,
  __pairs = function() return next, { send = true, read = true } end })
return moontide.script { name = "x", summary = "x", grant = grant, run = function()
  moontide.account("it"):conversation("bob"):send "x"
end }
