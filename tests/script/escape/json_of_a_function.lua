-- expect: json.type
local moontide = require "moontide"
moontide.json.encode { print }
