-- expect: grant.denied
local moontide = require "moontide"
moontide.http.get "https://127.0.0.1/"
