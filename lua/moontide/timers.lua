-- moontide.every: calls that come again and again. A call that takes longer than the interval is not overtaken: what
-- was missed meanwhile is left out.
local core = ...
local store = require "moontide.store"
local timers = {}
local running = {} -- by themselves
local methods = {}
local type_of = { __index = methods, __metatable = "timer" }
local SHORTEST = 10

--- No further call; one that runs ends by itself.
function methods:cancel() self.over:set() end

local function loop(timer, ms, f)
  local start, n = core.mono(), 0
  while true do
    n = math.max(n + 1, (core.mono() - start) // ms + (n == 0 and 0 or 1))
    if timer.over:wait(math.max(start + n * ms - core.mono(), 0)) then break end
    timer.busy = true
    local ok, err = pcall(f)
    if not ok then
      if err == "not enough memory" then core.abort(err) end
      core.log("error", ("a call of moontide.every failed: %s"):format(core.fault(err).message))
    end
    store.commit()
    timer.busy = false
    if timer.idle then timer.idle:set() end
  end
  running[timer] = nil
end

--- every(interval, f): the handle of a timer, with cancel.
function timers.every(interval, f)
  local ms = core.duration(interval)
  if ms < SHORTEST then
    core.usage("option.range", ("moontide.every: the interval is %d ms or more"):format(SHORTEST))
  end
  if type(f) ~= "function" then core.usage("option.type", "moontide.every takes a duration and a function") end
  local timer = setmetatable({ over = core.signal(), busy = false }, type_of)
  running[timer] = true
  core.spawn(loop, timer, ms, f)
  return timer
end

--- No further calls; returns when those in hand have ended.
function timers.stop()
  local list = {}
  for timer in pairs(running) do list[#list + 1] = timer end
  for _, timer in ipairs(list) do
    timer.over:set()
    timer.idle = timer.busy and core.signal() or nil
  end
  for _, timer in ipairs(list) do if timer.idle then timer.idle:wait() end end
end

return timers
