-- expect: attempt to index
local moontide = require "moontide"
moontide.account("it").provider_account = 1
