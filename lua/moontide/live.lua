-- Live accounts: who is told of which event, and in which order. Handlers of one conversation run one after the other,
-- those of different conversations side by side. A batch is acknowledged to the cloud when all its handlers have ended,
-- or wait in conversation:ask: what a crash interrupts comes again. A server's queue waits for its handlers, so that a
-- slow script holds the cloud back instead of filling memory.
--
-- A conversation that has something to do has a leader, a task that takes its queue one by one. Each handler runs in a
-- task of its own and holds the turn, which the leader waits for, until it has ended or asks. A handler that asks gets
-- the turn back with its answer.
local core = ...
local gaps = require "moontide.gaps"
local store = require "moontide.store"
local live = {}
local sessions = {} -- by the account
local joined = {}   -- chat rooms, by the account
local turns = {}    -- of handlers that run, by the number of their task
local types = {}
local LIMIT, PATIENCE = "10m", "10m" -- of a handler; of conversation:ask
for _, name in ipairs(core.live_types()) do types[name] = true end

local function all_types()
  local list = {}
  for name in pairs(types) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, ", ")
end

local function span(ms) return ms < 1000 and ms .. " ms" or ("%g s"):format(ms / 1000) end

local function where(event)
  return event.type .. (event.conversation and " in " .. event.conversation.id or "")
end

--- Something of the session has ended; when nothing is left of one that is off, the account says goodbye.
local function less(session)
  session.working = session.working - 1
  if session.off and session.working == 0 then
    core.live_stop(session.account, session.stopped)
    if session.closed then session.closed:set() end
  end
end

--- The turn goes back to the leader.
local function release(turn)
  if turn and turn.held then
    turn.held = false
    turn.back:set()
  end
end

local function gone(turn)
  if turn.over then return end
  turn.over = true
  turns[turn.id] = nil
  release(turn)
  less(turn.session)
end

local function failed(event, message)
  core.log("error", ("a handler of %s failed: %s"):format(where(event), message))
end

--- The leader waits until the turn is given back. A handler that takes too long is ended; it hurts nobody else.
local function await(turn)
  turn.back = core.signal()
  core.task_watch(turn.task, turn.back)
  if not turn.back:wait(turn.limit) then
    core.log("error",
      ("a handler of %s ran for longer than %s and was ended"):format(where(turn.event), span(turn.limit)))
    core.task_cancel(turn.task)
    gone(turn)
  elseif turn.held then -- it was ended from below
    local fault = core.task_fault(turn.task)
    failed(turn.event, fault and fault.message or "it has ended")
    gone(turn)
  end
end

--- The task of one handler for one event. It hurts nobody else when it fails.
local function handle(turn, handler, event)
  turn.id = core.task_id()
  turns[turn.id] = turn
  local ok, err = pcall(handler, event.message or event, event)
  if not ok then
    if err == "not enough memory" then core.abort(err) end -- what this script keeps leaves no room for any handler
    failed(event, core.fault(err).message)
  end
  gone(turn)
end

local function call(session, handler, event)
  local turn = { session = session, event = event, limit = handler.limit, held = true, id = 0 }
  session.working = session.working + 1
  turn.task = core.spawn(handle, turn, handler.call, event)
  await(turn)
end

--- Whoever asked goes on, and has the turn if it is a handler.
local function resume(ask)
  local turn = ask.turn
  if turn then turn.held = true end
  ask.got:set()
  if turn then await(turn) end
end

--- The first that asked and may be answered by this event.
local function take_ask(session, key, event)
  local list = session.asks[key]
  if not list or event.type ~= "message" or event.message.direction == "sent" then return nil end
  for i, ask in ipairs(list) do
    if not ask.from or ask.from == event.message.from then
      table.remove(list, i)
      if #list == 0 then session.asks[key] = nil end
      return ask
    end
  end
end

local function tell(session, event)
  for _, handler in ipairs(session.handlers[event.type] or {}) do call(session, handler, event) end
end

--- What nobody was told of when the account went off is not acknowledged.
local function lead(session, key, queue)
  while queue.first <= queue.last do
    local item = queue[queue.first]
    queue[queue.first] = nil
    queue.first = queue.first + 1
    local ask = item.ask or not item.fill and not session.off and take_ask(session, key, item.event)
    if ask then
      ask.answer = item.event and item.event.message
      resume(ask)
    elseif not session.off then
      item.begun = true
      if item.fill then item.fill(function(event) tell(session, event) end) else tell(session, item.event) end
    end
    if item.done and (ask or item.begun or item.fill) then item.done() end
  end
  session.queues[key] = nil
  less(session)
end

local function enqueue(session, key, item)
  local queue = session.queues[key]
  local fresh = not queue
  if fresh then
    queue = { first = 1, last = 0 }
    session.queues[key] = queue
  end
  queue.last = queue.last + 1
  queue[queue.last] = item
  if fresh then
    session.working = session.working + 1
    core.spawn_vital(lead, session, key, queue)
  end
end

--- What its handlers have put into moontide.store is durable before the cloud is told that the batch was received.
local function acknowledge(session, batch)
  if not store.pending() then return batch:done() end
  session.working = session.working + 1
  core.spawn_vital(function()
    core.store_flush()
    batch:done()
    less(session)
  end)
end

local function dispatch(session, batch, events)
  local left = #events
  local function done()
    left = left - 1
    if left == 0 then acknowledge(session, batch) end
  end
  if left == 0 then batch:done() end
  for _, event in ipairs(events) do
    if gaps.is_new(session, event) then
      enqueue(session, event.conversation and event.conversation.id or "", { event = event, done = done })
    else
      done()
    end
  end
end

--- Calls f in the turn of a conversation; returns when it has ended.
local function run_in_turn(session, key, f)
  local over = core.signal()
  enqueue(session, key, { fill = f, done = function() over:set() end })
  over:wait()
end

--- Who waits for an answer that cannot come any more goes on with a fault.
local function fail_asks(session, code, message)
  local asks = session.asks
  session.asks = {}
  for _, list in pairs(asks) do
    for _, ask in ipairs(list) do
      ask.fault = { code = code, message = message }
      ask.got:set()
    end
  end
end

local function listens_to_the_end(session)
  return session.handlers.kicked or session.handlers.error
end

local function receive(session)
  while sessions[session.key] == session do
    local batch, events = core.live_next(session.account)
    if not session.begun then core.settle() end -- a script of its own process may still be saying what it wants
    session.begun = true
    if not batch then
      if sessions[session.key] ~= session then return end
      sessions[session.key] = nil
      fail_asks(session, "ask.ended", "the session has ended")
      if events and not listens_to_the_end(session) then error(events, 0) end
      return
    end
    dispatch(session, batch, events)
    local first = events[1]
    if first and first.type == "connected" and first.data.away_ms > 0 then -- before what comes next
      gaps.fill(session, first.data, function(key, f) run_in_turn(session, key, f) end)
    end
  end
end

local function rooms_of(key)
  joined[key] = joined[key] or {}
  return joined[key]
end

--- account: the account, or a conversation of it.
local function session_of(account)
  local key = core.live_key(account)
  local session = sessions[key]
  if not session then
    session = {
      key = key, account = core.live_account(account), handlers = {}, queues = {}, asks = {}, rooms = rooms_of(key),
      working = 0, off = false,
    }
    sessions[key] = session
    core.spawn_vital(receive, session)
  end
  return session
end

--- account:on(name, handler, options): calls handler for every such event; the account goes online and the script goes
-- on until account:off() or its end.
function live.on(account, name, handler, options)
  if not types[name] then
    core.usage("event.unknown", ("there is no event '%s'; there are: %s"):format(tostring(name), all_types()))
  end
  if type(handler) ~= "function" then core.usage("event.handler", "account:on takes a name and a function") end
  core.check_options("account:on", options)
  local limit = core.duration(options and options.limit or LIMIT)
  local session = session_of(account)
  session.account = account
  session.handlers[name] = session.handlers[name] or {}
  table.insert(session.handlers[name], { call = handler, limit = limit > 0 and limit or nil })
end

local function close(session)
  if sessions[session.key] == session then sessions[session.key] = nil end
  session.off = true
  fail_asks(session, "ask.ended", "the account goes off")
  if session.working == 0 then core.live_stop(session.account, session.stopped) end
end

--- account:off(): no further handler is called; when those that run have ended, the account says goodbye.
function live.off(account)
  local session = sessions[core.live_key(account)]
  if session then close(session) end
end

--- Takes the turn again after a wait that no answer has ended: in order, like everything in that conversation.
local function come_back(session, key, turn)
  if not turn or session.off then return end
  local ask = { turn = turn, got = core.signal() }
  enqueue(session, key, { ask = ask })
  ask.got:wait()
end

--- conversation:ask(what, options): sends, and waits for the next message of the conversation, which is then given to
-- no handler.
function live.ask(conversation, what, options)
  core.check_options("conversation:ask", options)
  local patience = core.duration(options and options.timeout or PATIENCE)
  local session = session_of(conversation)
  local key = conversation.id
  local turn = turns[core.task_id()]
  local ask = { from = options and options.from, got = core.signal(), turn = turn }
  conversation:send(what)
  if session.off then core.raise("state", "ask.ended", "the account goes off") end
  session.asks[key] = session.asks[key] or {}
  table.insert(session.asks[key], ask)
  release(turn)
  ask.got:wait(patience)
  local list = session.asks[key] or {}
  for i = #list, 1, -1 do if list[i] == ask then table.remove(list, i) end end
  if #list == 0 then session.asks[key] = nil end
  if not next(session.handlers) and not next(session.asks) then close(session) end -- it was made for this
  if ask.answer then return ask.answer end
  if ask.fault then core.raise("state", ask.fault.code, ask.fault.message) end
  come_back(session, key, turn)
  core.raise("timeout", "ask.timeout", ("nobody answered in %s within %s"):format(key, span(patience)))
end

--- conversation:join(): enters a chat room.
function live.join(conversation)
  local sent = core.room(conversation, true)
  rooms_of(core.live_key(conversation))[conversation.id] = conversation
  return sent
end

--- conversation:leave(): leaves it.
function live.leave(conversation)
  local sent = core.room(conversation, false)
  rooms_of(core.live_key(conversation))[conversation.id] = nil
  return sent
end

--- No new events; returns when what is in hand has ended.
function live.stop()
  local list = {}
  for _, session in pairs(sessions) do list[#list + 1] = session end
  for _, session in ipairs(list) do
    session.closed, session.stopped = core.signal(), true
    close(session)
  end
  for _, session in ipairs(list) do if session.working > 0 then session.closed:wait() end end
end

return live
