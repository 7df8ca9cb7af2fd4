-- expect: file.private
local moontide = require "moontide"

moontide.store.x = 1
moontide.store:flush()
moontide.archive("state/moontide/mine", { account = moontide.account "it" })
