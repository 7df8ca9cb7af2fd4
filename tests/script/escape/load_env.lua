-- expect: x and nothing
local moontide = require "moontide"

-- another environment is no way to what this one does not have
local f = assert(load("return io, x", "c", "t", { x = "x" }))
local io_there, x = f()
print(x .. " and " .. (io_there and "io" or "nothing"))
