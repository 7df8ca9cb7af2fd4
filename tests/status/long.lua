-- Half way, for long.
local moontide = require "moontide"
moontide.progress { label = ..., done = 5, total = 10, unit = "<i>pages" }
moontide.sleep "1h"
