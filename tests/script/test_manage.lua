-- run: --grant read,mark_read,send,organise,delete --apply
-- Deleting for oneself, pins and marks, and what the user's other device hears of it; who has read a group's message.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end

local owner, tablet, guest = moontide.account "it", moontide.account "tablet", moontide.account "guest"
local told, marks = owner:can "delete.told", owner:can "mark"
if not told then print("skip what other devices hear of deletions: " .. select(2, owner:can "delete.told")) end
local events, online = {}, {}
local function key(name, conversation) return name .. " " .. (conversation and conversation.id or "") end
for _, name in ipairs { "messages_deleted", "conversation_deleted", "conversation", "unread" } do
  tablet:on(name, function(message, event)
    event = event or message
    if name == "unread" and message.from ~= owner.user then return end
    events[key(name, event.conversation)] = event
  end)
end
local delivered, read
guest:on("delivered", function(message) delivered = message.target end)
guest:on("read", function(message) read = message end)
for name, account in pairs { owner = owner, tablet = tablet, guest = guest } do
  account:on("connected", function() online[name] = true end)
end
local newest -- that the owner has heard
owner:on("message", function(message)
  newest = message.text
  if message.text == "read me, all" then message:mark_read "seen it" end
end)
local function wait_for(what) while not what() do moontide.sleep "5ms" end end
local function heard(name, conversation)
  wait_for(function() return events[key(name, conversation)] end)
  return events[key(name, conversation)]
end
wait_for(function() return online.owner and online.tablet and online.guest end)

local function texts(conversation)
  local list = {}
  for message in conversation:history { order = "oldest" } do list[#list + 1] = message.text end
  return table.concat(list, " ")
end

-- messages, by ids and by time
local to_owner, mine = guest:conversation(owner.user), owner:conversation(guest.user)
mine:delete { history = true }
local sent = {}
for i = 1, 45 do sent[i] = to_owner:send("m" .. i) end
if owner:can "receipts.delivered" then
  wait_for(function() return delivered == sent[45].id end)
  check("delivery_receipts tells the sender when it was dealt with", true)
end
wait_for(function() return newest == "m45" end) -- a cloud that needs more than ids finds what was seen lately
local ids = {}
for i = 1, 41 do ids[i] = sent[i].id end
local result = mine:delete_messages { ids = ids }
check("any number of ids goes in batches", result.ids == 41 and result.calls == (told and 3 or 1))
check("deleted messages are gone from the own history", texts(mine) == "m42 m43 m44 m45")
check("the peer keeps them", select(2, texts(to_owner):gsub("m%d+", "")) >= 45)
if told then check("the other device hears which", #heard("messages_deleted", mine).data.ids > 0) end
events = {}
moontide.sleep "2ms" -- the next message has a time of its own
local last = to_owner:send "last"
mine:delete_messages { before = last.time }
check("before spares what came at that time", texts(mine) == "last")
if told then
  wait_for(function() return heard("messages_deleted", mine).data.before end) -- behind the three of the ids
  check("the other device hears when", heard("messages_deleted", mine).data.before == last.time)
end

-- refusals
local function code(f, ...) local ok, fault = moontide.try(f, ...) return not ok and fault.code end
check("ids or before", code(mine.delete_messages, mine, {}) == "delete.which"
  and code(mine.delete_messages, mine, { ids = { last.id }, before = 1 }) == "delete.which")
local unknown = code(mine.delete_messages, mine, { ids = { last.id, "x1" } })
check("an id is one that the cloud knows", (unknown == "delete.ids" or unknown == "delete.needs_message")
  and code(mine.delete_messages, mine, { ids = {} }) == "delete.ids"
  and code(mine.delete_messages, mine, { ids = { 17 } }) == "delete.ids")
check("the future is not deleted", code(mine.delete_messages, mine, { before = moontide.now() + 60000 }) == "delete.future")
check("nothing was deleted by any of them", texts(mine) == "last")

-- pins and marks
local function listed(id)
  for conversation in owner:conversations() do if conversation.id == id then return conversation end end
end
mine:pin()
check("a pinned conversation is pinned", listed(mine.id).pinned)
check("the other device hears of it", heard("conversation", mine).data.change == "pinned")
events = {}
mine:pin(false)
check("and of the end of it", heard("conversation", mine).data.change == "unpinned" and not listed(mine.id).pinned)
events = {}
if marks then
  mine:mark(3)
  local event = heard("conversation", mine)
  check("marks are set", event.data.change == "marked" and event.data.mark == "mark_3" and listed(mine.id).marks[1] == 3)
  mine:mark(3, false)
  check("marks are taken away", #listed(mine.id).marks == 0)
  check("a mark is 0 to 19", code(mine.mark, mine, 20) == "mark.range")
else
  check("what the cloud does not have is said", code(mine.mark, mine, 3) == "unsupported")
end
owner:conversation(guest.user):mark_read()
check("the other device hears of a reset", heard("unread", mine) ~= nil and listed(mine.id).unread == 0)

-- conversations
events = {}
mine:delete()
if told then heard("conversation_deleted", mine) end
check("a deleted conversation leaves the list and keeps its history", not listed(mine.id) and texts(mine) == "last")
events = {}
to_owner:send "again"
wait_for(function() return listed(mine.id) end)
check("a new message brings it back", true)
mine:delete { history = true }
if told then heard("conversation_deleted", mine) end
check("with history nothing is left", not listed(mine.id) and texts(mine) == "")

-- who has read a group's message
local group = guest:conversation "group:777001"
owner:conversation("group:777001"):send "here I am"
local asked = group:send { text = "read me, all", receipts = true }
wait_for(function() return read and read.target == asked.id end)
check("the sender hears who has read it, and what he adds where the cloud passes it on", owner.provider ~= "easemob"
  or (read.body.ack_content == "seen it" and read.body.group_read_count[asked.id] == 1))
for message in group:history { limit = 1 } do
  local users = {}
  for user in message:readers() do users[#users + 1] = user end
  check("message:readers names them", #users == 1 and users[1] == owner.user)
  local page = message:readers_page { limit = 1 }
  local rest = page.cursor and message:readers_page { limit = 1, cursor = page.cursor }
  check("message:readers_page counts them", page.total == 1 and #page.readers == 1 and (not rest or #rest.readers == 0))
end
for message in owner:conversation("group:777001"):history { limit = 1 } do
  check("only the sender may ask", code(message.readers_page, message) == "receipts.denied")
end

-- everything
check("the guest has conversations", listed and texts(group) ~= "")
guest:delete_everything()
local left = 0
for _ in guest:conversations() do left = left + 1 end
check("account:delete_everything leaves no conversation", left == 0 and texts(group) == "")
check("the others keep theirs", texts(owner:conversation(group.id)):find("read me", 1, true) ~= nil)
owner:off()
tablet:off()
guest:off()
