-- After a long absence: the cloud's offline queue holds so many messages and drops the oldest. What may have been
-- dropped is read from history and told like any message, before what comes after it. What history does not give either
-- is told as a gap.
local core = ...
local gaps = {}
local MARGIN = 5000  -- ms: what the clocks may differ by, and what was on its way
local READERS = 8    -- conversations that are read at once
local PLACES = 20000 -- conversations whose place is remembered, twice
local FILLED = 512   -- the newest of a conversation that came from history: no queue holds more (500, 200)

--- Whether message a came after b. Ids that are numbers grow with time; of others only the time tells, and two of the
--- same moment are told both: better one twice than one never.
local function after(a, b)
  if a.id:find "^%d+$" and b.id:find "^%d+$" then return #a.id > #b.id or (#a.id == #b.id and a.id > b.id) end
  return a.time > b.time or (a.time == b.time and a.id ~= b.id)
end
local function place_at(message) return { id = message.id, time = message.time } end

--- How far the messages of a conversation were told of: last, and the ids that came from history.
local function place_of(session, key, make)
  local places = session.places or { young = {}, n = 0, old = {} }
  session.places = places
  local place = places.young[key] or places.old[key]
  if not places.young[key] and (place or make) then
    if places.n >= PLACES then places.old, places.young, places.n = places.young, {}, 0 end
    place = place or {}
    places.young[key], places.n = place, places.n + 1
  end
  return place
end

--- A message came from history: the queue may bring it again. Only so many are kept, however long the absence was.
local function remember(place, id)
  place.at = place.at % FILLED + 1
  local oldest = place.ring[place.at]
  if oldest then place.filled[oldest] = nil end
  place.ring[place.at] = id
  place.filled[id] = true
end

--- Whether an event is to be told: a message that was read from history is not told again when the queue brings it.
function gaps.is_new(session, event)
  if event.type ~= "message" then return true end
  local place = place_of(session, event.conversation.id, true)
  local id = event.message.id
  if place.filled and place.filled[id] then
    place.filled[id] = nil
    return false
  end
  if not place.last or after(event.message, place.last) then place.last = place_at(event.message) end
  return true
end

--- The conversations that may hold something since then, and why the list may not be whole.
local function candidates(session, since)
  local list, seen = {}, {}
  local ok, err = pcall(function()
    for conversation in session.account:conversations() do
      local last = conversation.last
      seen[conversation.id] = true
      if not last or last.time >= since then list[#list + 1] = conversation end
    end
  end)
  local places = session.places or { young = {}, old = {} }
  for _, part in ipairs { places.young, places.old } do
    for id in pairs(part) do
      if not seen[id] and not session.rooms[id] then
        seen[id] = true
        list[#list + 1] = session.account:conversation(id)
      end
    end
  end
  return list, not ok and core.fault(err) or nil
end

local function missing(session, tell, since, fault, conversation)
  local data = { since = since, ["until"] = core.now() }
  local from = os.date("!%Y-%m-%dT%H:%M:%SZ", since // 1000)
  core.log("warn", ("%s: messages since %s may be missing%s: %s"):format(session.account.name, from,
    conversation and " in " .. conversation.id or "", fault.message))
  tell { type = "gap", conversation = conversation, fault = fault, data = data }
end

--- Tells what came in a conversation since then and was not told.
local function fill(session, conversation, since, earlier, tell)
  local place = place_of(session, conversation.id, true)
  local known = place.last
  place.filled, place.ring, place.at = {}, {}, 0
  local ok, err = pcall(function()
    for message in conversation:history { since = since, order = "oldest" } do
      if session.off then return end
      local own = message.direction == "sent" and message.time < since + MARGIN -- this device may have sent it
      local told = known and not after(message, known) or earlier[message.id]
      if message.type == "message" and not own and not told then
        remember(place, message.id)
        if not place.last or after(message, place.last) then place.last = place_at(message) end
        tell { type = "message", conversation = conversation, message = message, data = { filled = true } }
        core.live_handled(session.account, message.id)
      end
    end
  end)
  if not ok and not session.off then missing(session, tell, since, core.fault(err), conversation) end
end

--- Fills what came while the session was away; returns when it is told. Chat rooms have no queue: what came in those
-- that were entered is always read. run(key, f) has f called in the conversation's turn with a function that tells an
-- event, and returns when that has ended.
function gaps.fill(session, data, run)
  if not session.handlers.message and not session.handlers.gap then return end
  local since = (data.since or core.now() - data.away_ms) - MARGIN
  local list, fault = {}, nil
  if data.since then list, fault = candidates(session, since) end
  for _, room in pairs(session.rooms) do list[#list + 1] = room end
  if fault then run("", function(tell) missing(session, tell, since, fault) end) end
  local earlier = core.live_known(session.account) -- what an earlier process told
  local at = 0
  local function read()
    while at < #list and not session.off do
      at = at + 1
      local conversation = list[at]
      run(conversation.id, function(tell) fill(session, conversation, since, earlier, tell) end)
    end
  end
  local readers = {}
  for i = 1, math.min(READERS, #list) do readers[i] = core.spawn(read) end
  for _, task in ipairs(readers) do task:join() end
end

return gaps
