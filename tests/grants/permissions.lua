-- With a grant each of its functions goes through, without it nothing is sent. generate.lua puts in front: LISTS (calls.lua),
-- MODE (granted, denied, stated), GRANT, ALL, NAMES, CLOUD, STATS. The body may do everything and prepares; run is narrowed.
local moontide = require "moontide"
local function check(name, ok, why)
  print((ok and "pass " or "fail ") .. MODE .. " " .. GRANT .. ": " .. name .. (ok and "" or ": " .. tostring(why)))
end
local ALL = { "read", "mark_read", "send", "organise", "delete", "http", "files", "audit" }

local account, guest = moontide.account "it", moontide.account "guest"
local t = {
  moontide = moontide, sleep = moontide.sleep, stats = STATS, account = account, guest = guest,
  chat = account:conversation "single:guest", room = account:conversation "room:777100",
  name = function(text) return ("%s-%s-%s"):format(text, MODE, GRANT) end,
}

local function prepare()
  guest:conversation(account.user):send "theirs"
  t.chat:send_image { path = "small.png" }
  t.chat:send "own"
  for message in t.chat:history { limit = 3 } do
    if message.kind == "image" then t.image = message
    elseif message.text == "own" then t.own = message
    else t.theirs = message end
  end
  local group = account:conversation "group:777001"
  group:send { text = "read me", receipts = true }
  t.asked = group:history { limit = 1 }()
  t.archive = moontide.archive(t.name "archive", { account = account })
  t.chat:export(t.archive)
  t.plan = account:plan(moontide.policy.all, { conversations = { t.chat.id } })
end

local function sent()
  local stats = moontide.http.get(STATS):json()
  return stats.requests + stats.frames + stats.rongcloud.frames
end

local function go_through()
  local names = table.move(NAMES, 1, #NAMES, 1, {})
  table.sort(names, function(a, b)
    local x, y = LISTS.calls[a].last and 1 or 0, LISTS.calls[b].last and 1 or 0
    if x ~= y then return x < y end
    return a < b
  end)
  for _, name in ipairs(names) do
    local entry = LISTS.calls[name]
    local results = table.pack(moontide.try(entry[1], t))
    local fault = entry.fault and entry.fault[CLOUD]
    if fault then
      check(name .. " says " .. fault, not results[1] and results[2].code == fault, results[2] and results[2].code)
    else
      check(name .. " goes through", results[1] and results[2], results[1] and "nothing" or results[2].code)
    end
  end
end

local function is_refused(f)
  local ok, fault = moontide.try(f, t)
  return not ok and fault.code == "grant.denied" and fault.message:find(("'%s'"):format(GRANT), 1, true) ~= nil,
    ok and "it went through" or fault.code
end

local function refuse_all(tell)
  for _, name in ipairs(NAMES) do
    local list = { LISTS.calls[name][1], table.unpack(LISTS.calls[name].denied or {}) }
    for _, f in ipairs(list) do
      local refused, why = is_refused(f)
      if tell then check(name .. " is refused", refused, why) end
    end
  end
end

--- What is in hand from before may still come and go: once is enough, for what a call sends it sends each time.
local function nothing_is_sent()
  for _ = 1, 50 do
    local before = sent()
    refuse_all(false)
    if sent() == before + 1 then return true end -- the look itself
  end
  return false
end

if MODE == "stated" then -- the job's own grant: nothing was prepared, and nothing is online
  refuse_all(true)
  print "over"
  return
end
prepare()
local grant = {}
for _, name in ipairs(MODE == "denied" and ALL or {}) do if name ~= GRANT then grant[#grant + 1] = name end end
if MODE == "granted" then
  grant = { GRANT }
  for _, name in ipairs(NAMES) do grant[#grant + 1] = LISTS.calls[name].needs end
end
return moontide.script {
  name = "permissions", summary = "Tries what it may do.", grant = grant,
  run = function()
    if MODE == "granted" then
      go_through()
    else
      refuse_all(true)
      if GRANT ~= "http" then check("nothing is sent", nothing_is_sent(), "something was") end
    end
    t.archive:close()
  end,
}
