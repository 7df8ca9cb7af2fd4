-- expect: moontide.account
local moontide = require "moontide"

print(getmetatable(moontide.account "it"))
print(pcall(setmetatable, moontide.account "it", {}))
