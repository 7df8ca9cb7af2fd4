-- expect: json.too_deep
local moontide = require "moontide"
moontide.json.decode(("["):rep(100000))
