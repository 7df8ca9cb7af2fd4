-- expect: file.private
local moontide = require "moontide"

local c = moontide.account("it"):conversation "bob"
c:upload "/proc/self/cwd/moontide.lua"
