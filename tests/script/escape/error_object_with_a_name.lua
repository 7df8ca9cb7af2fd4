-- expect: moontide.account expected
local moontide = require "moontide"

local fake = setmetatable({}, { __name = "moontide.account" })
moontide.account("it").conversations(fake)
