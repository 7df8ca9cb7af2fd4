-- expect: moontide.account expected
local moontide = require "moontide"

local a = moontide.account "it"
a.conversations(a:conversation "bob")
