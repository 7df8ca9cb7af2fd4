-- expect: went on
local moontide = require "moontide"

for _ in function(_, i) moontide.sleep(1) return i < 3 and i + 1 or nil end, nil, 1 do end
print "went on"
