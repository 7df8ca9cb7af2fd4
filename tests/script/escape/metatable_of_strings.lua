-- expect: attempt to
getmetatable("").__index = nil
