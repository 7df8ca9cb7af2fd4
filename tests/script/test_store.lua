-- moontide.store: what is durable, and what is refused. run.sh runs it twice: the second time finds what the first left.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local store = moontide.store

local readers = {}
for i = 1, 4 do readers[i] = moontide.spawn(function() return store.runs end) end
local read_n = 0
for _, reader in ipairs(readers) do read_n = read_n + (pcall(reader.join, reader) and 1 or 0) end
check("several tasks may be the first to read it, at once", read_n == 4)
store.runs = (store.runs or 0) + 1
check("a count goes up", store.runs >= 1)
if store.runs > 1 then
  check("what an earlier run left is there", store.big == 9223372036854775807 and store.nested.list[2].name == "b")
  check("what it changed inside of a table, too", store.nested.added == "later" and store.nested.list[3] == nil)
  check("and what it took away is not", store.gone == nil)
end
store.big = 9223372036854775807
store.nested = { list = { { name = "a" }, { name = "b" } }, yes = true }
store.nested.added = "later"
store.gone = "soon"
store.gone = nil
local keys = {}
for key, value in pairs(store) do keys[#keys + 1] = key .. "=" .. type(value) end
check("pairs gives all of it", table.concat(keys, " ") == "big=number nested=table runs=number")
moontide.store:flush()
check("moontide.store:flush returns when it is durable", true)

local function fails(code, f)
  local ok, fault = moontide.try(f)
  return not ok and fault.code == code
end
check("a key is a text", fails("store.key", function() store[1] = 1 end))
check("flush is no key", fails("store.key", function() store.flush = 1 end))
check("a function is no value", fails("json.type", function() store.f = print end))
check("it has a limit", fails("store.limit", function() store.huge = ("x"):rep(1000):rep(17000) end))
check("and what was refused is not there", store.huge == nil and store.f == nil)
check("its metatable is its own", getmetatable(store) == "store")
for i = 1, 1000 do store["many" .. i] = i end
for i = 1, 1000 do store["many" .. i] = nil end
