-- run: --grant read,send,mark_read,organise
-- What a list says of a conversation, and how it is picked; what only some clouds have is not tried on the others.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function code(f, ...) local ok, fault = moontide.try(f, ...) return not ok and fault.code end

local account, guest = moontide.account "it", moontide.account "guest"
local to_owner, mine = guest:conversation("single:" .. account.user), account:conversation "single:guest"
local live = {}
for _, one in ipairs { account, guest } do
  one:on("connected", function() live[one.user] = true end)
end
for _ = 1, 200 do if live[account.user] and live.guest then break end moontide.sleep "50ms" end

-- picking
local all, unread, ids = 0, 0, {}
for conversation in account:conversations() do
  all = all + 1
  if conversation.unread > 0 then unread = unread + 1 end
  ids[#ids + 1] = conversation.id
end
local n, right = 0, true
for conversation in account:conversations { unread = true } do n = n + 1 right = right and conversation.unread > 0 end
check("unread picks those with unread messages", n == unread and right)
n = 0
for conversation in account:conversations { kinds = { "group" } } do n = n + 1 right = right and conversation.kind == "group" end
check("kinds picks kinds", n > 0 and n < all and right)
check("a kind that there is not is refused", code(account.conversations, account, { kinds = { "grupp" } }) == "conversation.kind")
n = 0
for conversation in account:conversations { only = { ids[2] } } do n = n + 1 right = right and conversation.id == ids[2] end
check("only picks those that are named", n == 1 and right)
check("only takes ids", code(account.conversations, account, { only = { "planet:x" } }) == "conversation.kind"
  and code(account.conversations, account, { only = {} }) == "conversations.only")
if account:can "conversations.order" then
  local back = {}
  for conversation in account:conversations { order = "oldest" } do table.insert(back, 1, conversation.id) end
  check("order = oldest turns the list", #back == #ids and back[1] == ids[1] and back[#back] == ids[#ids])
  n = 0
  for _ in account:conversations { start = moontide.ago "1000d" } do n = n + 1 end
  check("start leaves out what is newer", n == 0)
else
  check("what the cloud cannot is refused", code(account:conversations { order = "oldest" }) == "unsupported"
    and code(account:conversations { start = 1 }) == "unsupported")
end

-- one by itself
to_owner:send "for the list"
local one
for _ = 1, 200 do
  one = mine:fetch()
  if one and one.last and one.last.text == "for the list" then break end
  moontide.sleep "50ms"
end
check("conversation:fetch says how it is now", one ~= nil and one.last.text == "for the list" and one.unread >= 1)
check("hidden is what was removed", one.hidden == false)
check("fresh asks the cloud, no more often than it wants", (function()
  local what = code(account:conversations { fresh = true })
  return not what or what == "conversations.too_often"
end)())

-- what is counted and set
if one.mentions then
  check("mentions and mentions_me count", math.type(one.mentions) == "integer" and one.mentions_me == 0 and one.mentioned == nil)
  check("last_unread_time is that of the newest unread message", one.last_unread_time == one.last.time)
  to_owner:send { text = "you", body = { mentions = { users = { account.user } } } }
  local group = mine:fetch()
  for _ = 1, 200 do
    group = mine:fetch()
    if group.mentions_me == 1 then break end
    moontide.sleep "50ms"
  end
  check("one that names the user counts", group.mentions == 1 and group.mentions_me == 1)
  check("mentioned says whom", group.mentioned.all == false and group.mentioned.users[1] == account.user)
  check("the JSON has it", moontide.json.decode(group:json()).mentioned.users[1] == account.user)
  mine:mark_read()
  check("read, nothing is left of it", mine:fetch().mentions == 0 and mine:fetch().mentioned == nil and mine:fetch().unread == 0)
else
  check("what the list does not say is nil", one.mentions == nil and one.mentions_me == nil and one.mentioned == nil
    and one.last_unread_time == nil and one.notification == nil)
end
if account:can "notification" then
  check("notification is default at first", mine:fetch().notification == "default")
  mine:set_notification "none"
  check("set_notification sets it", mine:fetch().notification == "none")
  mine:set_notification "default"
  check("and takes it back", mine:fetch().notification == "default")
else
  check("set_notification is unsupported", code(mine.set_notification, mine, "none") == "unsupported")
end
check("a level that there is not names the nearest",
  select(2, moontide.try(mine.set_notification, mine, "non")).message:find("'none'", 1, true) ~= nil)

-- drafts
check("there is no draft at first", mine:draft() == nil)
mine:set_draft "not yet sent"
to_owner:set_draft "another"
check("a draft is kept", mine:draft() == "not yet sent" and account:conversation("single:guest"):draft() == "not yet sent")
check("of this conversation and user", to_owner:draft() == "another" and account:conversation("group:1"):draft() == nil)
mine:set_draft(nil)
check("and forgotten", mine:draft() == nil and to_owner:draft() == "another")
check("a draft is a text", code(mine.set_draft, mine, 5) == "draft.text"
  and code(mine.set_draft, mine, ("x"):rep(70000)) == "draft.text")
to_owner:set_draft ""
account:off()
guest:off()
