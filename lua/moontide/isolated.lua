-- The module in a script's own process: what needs nothing but Lua is there, everything else is asked of the process
-- that holds the accounts (lua/moontide/asked.lua).
local core = ...
local describe = require "moontide.describe"
local moontide = {}
for name, value in pairs(core.module) do moontide[name] = value end

moontide.json, moontide.spawn = core.json, core.spawn
moontide.now, moontide.ago, moontide.duration, moontide.time = core.now, core.ago, core.duration, core.time
moontide.script, moontide.is_script, moontide.arg = describe.script, describe.is_script, describe.arg
moontide.is_checked = core.checking

moontide.log = {}
for _, level in ipairs { "error", "warn", "info", "debug", "trace" } do
  moontide.log[level] = function(text) core.log(level, text) end
end

--- Calls f(...); true and its results, or false and a fault.
function moontide.try(f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 1, results.n) end
  return false, core.fault(results[2])
end

return moontide
