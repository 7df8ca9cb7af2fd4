-- expect: nil
local a = require "moontide".account "it" print(a.token)
