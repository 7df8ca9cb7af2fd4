-- expect: none to be called
local moontide = require "moontide"

local a = moontide.account "it"
print(a.__gc == nil and a.__close == nil and "none to be called")
