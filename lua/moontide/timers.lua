-- moontide.every and moontide.cron: calls that come again and again. A call that takes longer than the interval is not
-- overtaken: what was missed meanwhile is left out.
local core = ...
local store = require "moontide.store"
local timers = {}
local running = {} -- by themselves
local methods = {}
local type_of = { __index = methods, __metatable = "timer" }
local SHORTEST = 10
local LOOK = 30000 -- so often the clock is looked at: somebody may have set it
local SET_BACK = 25 * 3600000 -- a clock that is set back by less does not make anything come twice

--- No further call; one that runs ends by itself.
function methods:cancel() self.over:set() end

--- One call, with what is to be kept after it.
local function call(timer, f, name)
  timer.busy = true
  local ok, err = pcall(f)
  if not ok then
    if err == "not enough memory" then core.abort(err) end
    core.log("error", ("a call of %s failed: %s"):format(name, core.fault(err).message))
  end
  store.commit()
  timer.busy = false
  if timer.idle then timer.idle:set() end
end

local function loop(timer, ms, f)
  local start, n = core.mono(), 0
  while true do
    n = math.max(n + 1, (core.mono() - start) // ms + (n == 0 and 0 or 1))
    if timer.over:wait(math.max(start + n * ms - core.mono(), 0)) then break end
    call(timer, f, "moontide.every")
  end
  running[timer] = nil
end

--- Waits until the time has come by the clock, which may be set meanwhile. Returns the time; nil: no more.
local function wait_for(timer, when, last)
  while true do
    local now = core.now()
    if now < last - SET_BACK then last = now end
    local due = when:next(last)
    if not due or timer.over:wait(math.max(math.min(due - now, LOOK), 0)) then return nil end
    if core.now() >= due then return due end
  end
end

local function cron_loop(timer, when, f)
  local last = core.now()
  while true do
    local due = wait_for(timer, when, last)
    if not due then break end
    call(timer, f, "moontide.cron")
    last = math.max(due, core.now())
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

--- cron(text, f, { timezone = … }): the same.
function timers.cron(text, f, options)
  core.check_options("moontide.cron", options)
  if type(text) ~= "string" or type(f) ~= "function" then
    core.usage("option.type", "moontide.cron takes a text such as \"0 3 * * *\" and a function")
  end
  local timer = setmetatable({ over = core.signal(), busy = false }, type_of)
  local when = core.cron(text, options and options.timezone)
  running[timer] = true
  core.spawn(cron_loop, timer, when, f)
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
