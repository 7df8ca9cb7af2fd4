-- expect: memory
local s = ("x"):rep(1 << 24) return s .. s:rep(2) .. s:rep(4)
