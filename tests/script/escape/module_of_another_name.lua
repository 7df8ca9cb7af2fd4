-- expect: grant.denied
local moontide = require "moontide"

-- the module's own tables belong to the script; the check does not
moontide.is_script, moontide.try = function() return false end, pcall
_G.getmetatable = function() return nil end
moontide.http.get "https://127.0.0.1/"
