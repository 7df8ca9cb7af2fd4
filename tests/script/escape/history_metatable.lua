-- expect: nil value
local account = require "moontide".account "it"
local _, _, _, closing = account:conversation "single:guest":history {}
getmetatable(closing).__gc(account)
