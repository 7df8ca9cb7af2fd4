-- expect: no module
local moontide = require "moontide"

require "moontide.main"(function()
  return moontide.script { name = "x", summary = "x", grant = { http = true }, run = function() end }
end, {}, "x")
