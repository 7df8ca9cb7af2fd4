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

local plain = require "moontide.plain"
moontide.log, moontide.try = plain.log, plain.try

return moontide
