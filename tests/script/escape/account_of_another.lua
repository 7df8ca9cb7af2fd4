-- expect: not named
local moontide = require "moontide"

-- run.sh gives this one -a it
moontide.account "guest"
