-- expect: archive.closed
local moontide = require "moontide"

local a = moontide.account "it"
local archive = moontide.archive("closed", { account = a })
archive:close()
a:conversation("bob"):export(archive)
