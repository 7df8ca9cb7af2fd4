-- expect: moontide.message expected
local moontide = require "moontide"

local a = moontide.account "it"
local message = a:conversations()():history { limit = 1 }()
message.json(a)
