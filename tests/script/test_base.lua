-- What needs no cloud: tasks, time, JSON, faults, arguments.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end

local order = {}
local task = moontide.spawn(function(word)
  moontide.sleep "20ms"
  order[#order + 1] = word
end, "later")
moontide.sleep(1)
order[#order + 1] = "sooner"
task:join()
check("spawn, sleep and join", order[1] == "sooner" and order[2] == "later")
local failing = moontide.spawn(function() error "no" end)
local ok, fault = moontide.try(failing.join, failing)
check("join raises what the task raised", not ok and fault.message:find "no" ~= nil)
check("now and ago", math.abs(moontide.now() - moontide.ago "1s" - 1000) < 100)
check("duration", moontide.duration "1d12h" == 129600000)
check("time", moontide.time "2026-01-01" == 1767225600000)
check("a bare number is no duration", not pcall(moontide.duration, "5"))
check("json.encode", moontide.json.encode { 1, "a", true } == '[1,"a",true]')
check("json.array", moontide.json.encode(moontide.json.array {}) == "[]")
check("json.decode keeps 64 bits", moontide.json.decode '{"id":1146784321123456789}'.id == 1146784321123456789)
local loop = {}
loop.loop = loop
ok, fault = moontide.try(moontide.json.encode, loop)
check("a cycle is refused", not ok and fault.code == "json.too_deep")
ok, fault = moontide.try(moontide.json.decode, "{")
check("bad JSON is a fault", not ok and fault.code:find "json" ~= nil)
ok = moontide.try(function() moontide.sleep "1ms" end)
check("try works across waits", ok)
ok = pcall(function() moontide.sleep "1ms" error { code = "x" } end)
check("pcall works across waits", not ok)
check("xpcall calls the handler",
  select(2, xpcall(error, function(e) return "handled " .. e end, "it")) == "handled it")
ok, fault = moontide.try(table.sort, { 2, 1 }, function() moontide.sleep "1ms" end)
check("waiting in a comparator is refused", not ok and fault.code == "script.cannot_wait")
local function code(...)
  local good, why = moontide.try(...)
  return not good and why.code
end
check("moontide.cron names the field that is wrong", code(moontide.cron, "0 24 * * *", print) == "cron.range")
check("and the zone", code(moontide.cron, "@daily", print, { timezone = "Berlin" }) == "zone.unknown")
check("and the option", code(moontide.cron, "@daily", print, { timezon = "UTC" }) == "option.unknown")
check("and wants a function", code(moontide.cron, "@daily") == "option.type")
moontide.cron("0 3 * * *", print, { timezone = "Europe/Berlin" }):cancel()
moontide.log.info "a line"
moontide.progress { label = "testing", done = 1, total = 2, unit = "things" }
local n = moontide.arg.integer { default = 1 }
local script = moontide.script { name = "x", summary = "y", args = { n = n }, run = print }
check("script describes", script.name == "x" and script.args.n.kind == "integer")
for _, name in ipairs { "io", "debug", "package", "dofile", "loadfile", "collectgarbage" } do
  check(name .. " is absent", _G[name] == nil)
end
for _, name in ipairs { "execute", "exit", "remove", "rename", "tmpname", "getenv" } do
  check("os." .. name .. " is absent", os[name] == nil)
end
check("string.dump is absent", string.dump == nil)
