-- What a script in a process of its own asks for by name: what Lua's operators do with an object that is here.
-- Functions it asks for by what it was given; there is no other way to one.
local core = ...
local asked = {}

--- A text has fields too, and they are not the script's.
local function object(o)
  local kind = type(o)
  if kind ~= "userdata" and kind ~= "table" then error("there is no such object", 0) end
  return o
end

function asked.index(o, key) return object(o)[key] end
function asked.newindex(o, key, value) object(o)[key] = value end
function asked.call(o, ...) return object(o)(...) end
function asked.pairs(o) return pairs(object(o)) end
function asked.tostring(o) return tostring(object(o)) end
function asked.len(o) return #object(o) end
function asked.close(o) local _ <close> = object(o) end
function asked.unm(o) return -object(o) end
function asked.add(a, b) return a + b end
function asked.sub(a, b) return a - b end
function asked.mul(a, b) return a * b end
function asked.concat(a, b) return a .. b end
function asked.eq(a, b) return a == b end
function asked.lt(a, b) return a < b end
function asked.le(a, b) return a <= b end
function asked.require(name) return require(name) end

--- What a described script declares: from now on it may do no more than that.
function asked.grant(declared, name) return core.grant(declared, name) end

return asked
