-- expect: json.too_deep
local moontide = require "moontide"
local t = {} t.t = t moontide.json.encode(t)
