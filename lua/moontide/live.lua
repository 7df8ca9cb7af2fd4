-- Live accounts: who is told of which event, and in which order. Handlers of one conversation run one after the other,
-- those of different conversations side by side. A batch is acknowledged to the cloud when all its handlers have ended:
-- what a crash interrupts comes again. A server's queue waits for its handlers, so that a slow script holds the cloud
-- back instead of filling memory.
local core = ...
local live = {}
local sessions = {} -- by the account's name
local types = {}
for _, name in ipairs(core.live_types()) do types[name] = true end

local function all_types()
  local list = {}
  for name in pairs(types) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, ", ")
end

--- One handler for one event. It hurts nobody else when it fails.
local function tell(handler, event)
  local ok, err = pcall(handler, event.message or event, event)
  if not ok then
    local fault = core.fault(err)
    core.log("error", ("a handler of %s%s failed: %s"):format(event.type,
      event.conversation and " in " .. event.conversation.id or "", fault.message))
  end
end

--- What nobody was told of when the account went off is not acknowledged.
local function work(session, key, queue)
  while queue.first <= queue.last and not session.off do
    local item = queue[queue.first]
    queue[queue.first] = nil
    queue.first = queue.first + 1
    for _, handler in ipairs(session.handlers[item.event.type] or {}) do tell(handler, item.event) end
    item.done()
  end
  session.queues[key] = nil
  session.working = session.working - 1
  if session.off and session.working == 0 then core.live_stop(session.account) end
end

local function dispatch(session, batch, events)
  local left = #events
  local function done()
    left = left - 1
    if left == 0 then batch:done() end
  end
  if left == 0 then batch:done() end
  for _, event in ipairs(events) do
    local key = event.conversation and event.conversation.id or ""
    local queue = session.queues[key]
    local fresh = not queue
    if fresh then
      queue = { first = 1, last = 0 }
      session.queues[key] = queue
    end
    queue.last = queue.last + 1
    queue[queue.last] = { event = event, done = done }
    if fresh then
      session.working = session.working + 1
      core.spawn(work, session, key, queue)
    end
  end
end

local function listens_to_the_end(session)
  return session.handlers.kicked or session.handlers.error
end

local function receive(session, account)
  while sessions[account.name] == session do
    local batch, events = core.live_next(account)
    if not batch then
      sessions[account.name] = nil
      if events and not listens_to_the_end(session) then error(events, 0) end
      return
    end
    dispatch(session, batch, events)
  end
end

local function session_of(account)
  local session = sessions[account.name]
  if not session then
    session = { account = account, handlers = {}, queues = {}, working = 0, off = false }
    sessions[account.name] = session
    core.spawn(receive, session, account)
  end
  return session
end

--- account:on(name, handler): calls handler for every such event; the account goes online and the script goes on until
-- account:off() or its end.
function live.on(account, name, handler)
  if not types[name] then
    core.usage("event.unknown", ("there is no event '%s'; there are: %s"):format(tostring(name), all_types()))
  end
  if type(handler) ~= "function" then core.usage("event.handler", "account:on takes a name and a function") end
  local session = session_of(account)
  session.handlers[name] = session.handlers[name] or {}
  table.insert(session.handlers[name], handler)
end

--- account:off(): no further handler is called; when those that run have ended, the account says goodbye.
function live.off(account)
  local session = sessions[account.name]
  sessions[account.name] = nil
  if not session then return end
  session.off = true
  if session.working == 0 then core.live_stop(account) end
end

return live
