-- expect: memory
local moontide = require "moontide"

local s = "[" .. ("[],"):rep(499990) .. "1]"
local kept = ("x"):rep(1 << 24) .. "y"
local more = kept .. "z"
return moontide.json.decode(s), more
