-- expect: moontide.account
local account = require "moontide".account "it" account.conversations({})
