-- run: --grant read,send,organise,files,http:127.0.0.1
-- Policies as values, as files, and the messages that they select: compared with all messages and the same conditions in
-- Lua.
local moontide = require "moontide"
local policy = moontide.policy
local rest, cloud = ...
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function fault_of(f, ...) local ok, fault = moontide.try(f, ...) return ok and { code = "none" } or fault end
local function says(name, text, code, part)
  local fault = fault_of(policy.parse, text)
  check(name, fault.code == code and fault.message:find(part, 1, true) ~= nil)
end

-- ---------------------------------------------------------------- values
local old = policy.older_than "90d"
local kept = (old * policy.kind "image") - policy.newest(100)
check("a policy prints as the Lua that makes it", tostring(kept) == '(older_than("90d") * kind("image")) - newest(100)')
check("policies are equal when their texts are", policy.older_than "2160h" == old and old ~= policy.older_than "91d")
check("a list has no parentheses",
  tostring(policy.from "a" + (policy.from "b" + policy.pinned)) == 'from("a") + from("b") + pinned')
check("sizes and times have one text",
  tostring(policy.larger_than "5MB" + policy.larger_than(5 << 20) + policy.before "2026-01-01")
  == 'larger_than("5MB") + larger_than("5MiB") + before("2026-01-01T00:00:00.000Z")')
check("a text gives the same policy", policy.parse(tostring(kept)) == kept)
check("since, matches, in_conversation and all are there", tostring(policy.all - policy.since(1767225600000)
  - policy.matches "*\"x\n*" - policy.in_conversation "bob")
  == [[all - since("2026-01-01T00:00:00.000Z") - matches("*\"x\010*") - in_conversation("single:bob")]])
check("what is no policy is told", fault_of(policy.parse, 1).code == "policy.type"
  and fault_of(function() return old + 1 end).code == "policy.join"
  and fault_of(function() return -old end).message:find("all - a", 1, true) ~= nil
  and fault_of(function() return old.text end).code == "policy.join"
  and fault_of(function() return policy.pinned() end).code == "policy.join")
check("a misspelt condition names the nearest",
  fault_of(function() return policy.older_then end).message:find("'older_than'", 1, true) ~= nil)
check("one argument, of the right type",
  fault_of(policy.kind, "image", "video").message:find("join several with +", 1, true) ~= nil
  and fault_of(policy.older_than, 90).code == "policy.older_than" and fault_of(policy.newest, "9").code == "policy.newest"
  and fault_of(policy.from, "a\0b").code == "policy.from" and fault_of(policy.older_than, "90").code == "duration.invalid"
  and fault_of(policy.before, "90d").message:find("older_than", 1, true) ~= nil
  and fault_of(policy.larger_than, "5 MB").code == "policy.larger_than")
local long = policy.from "a"
local ok, fault
repeat ok, fault = moontide.try(function() long = long + policy.from "b" end) until not ok
check("a policy ends somewhere", fault.code == "policy.size" and policy.parse(tostring(long)) == long)

-- ---------------------------------------------------------------- texts and files
says("Lua's and is no join", 'older_than("90d") and kind("image")', "policy.logic", "'and' does not join")
says("nor is its or", 'pinned or kind("image")', "policy.logic", "+ is or")
says("nor is its not", "all * not pinned", "policy.logic", "'not'")
says("what is written is part of it", 'local images = kind("image") return all', "policy.unused",
  'kind("image") is written')
check("in a text, a comment or a name they are no words", policy.parse [==[
  -- not this
  --[[ or
  that ]] local orders = matches "* and \" or *" + matches 'not\' or' + matches [[or]] + matches [=[ ]] not]=]
  return orders --[ or]]==] ~= nil)
says("nothing of moontide is there", 'require "moontide"', "policy.unknown", "policy:1: there is no condition 'require'")
says("nor are libraries", 'return string.rep("x", 10)', "policy.unknown", "'string'")
says("not even those of strings", 'local s = ("x"):rep(9) return matches(s)', "policy.syntax", "policy:1:")
says("a fault tells the line", '\n\nkind "imgae"', "policy.kind",
  "policy:3: kind: there is no kind 'imgae': did you mean 'image'?")
says("what does not end is ended", "while true do end", "policy.endless", "end")
says("what grows is ended", 'local s = "x" while true do s = s .. s end', "policy.size", "MiB")
says("no bytecode", "\27Lua", "policy.syntax", "binary")
says("one policy comes back", "return all, all", "policy.file", "several values")
says("and not nothing", "local a = 1", "policy.file", "nothing")
says("a deep one is refused", ("("):rep(300) .. "all" .. (")"):rep(300), "policy.syntax", "overflow")
check("lists are gone through in order", policy.parse [[
  local staff = from "ann"
  for _, name in ipairs { "bob", "cyd" } do staff = staff + from(name) end
  return older_than "30d" - staff]] == policy.older_than "30d" - (policy.from "ann" + policy.from "bob" + policy.from "cyd"))
check("a file is read", policy.load "keep.lua" == policy.parse 'older_than("1d") - kind("image")')
check("one that is not there is a fault", fault_of(policy.load, "none.lua").code == "fs.enoent")
check("a folder is none, nor is what never ends", fault_of(policy.load, ".").code == "policy.file"
  and fault_of(policy.load, "/dev/zero").code ~= "none")
check("one that is too large is a fault", fault_of(policy.load, "big.bin").code == "policy.size")
check("the configuration is none of a script's business", fault_of(policy.load, "moontide.lua").code == "file.private")

-- ---------------------------------------------------------------- what they select
local account = moontide.account "it"
local now = moontide.now()
local everything, places, where = {}, {}, {}
for conversation in account:conversations() do
  local list = {}
  for message in conversation:history {} do list[#list + 1] = message end
  places[#places + 1], everything[conversation.id] = conversation, list
  where[conversation.kind] = true
end
local some = {} -- a conversation with much, an early and a late time, a frequent sender
for _, conversation in ipairs(places) do
  local best = some.conversation
  if not best or #everything[conversation.id] > #everything[best.id] then some.conversation = conversation end
end
local most = everything[some.conversation.id]
some.early, some.late, some.from = most[#most - #most // 4].time, most[#most // 4].time, most[1].from
some.word = nil
for _, message in ipairs(most) do some.word = some.word or message.text and #message.text > 4 and message.text:match "^%w+" end
check("there is something to select from", #most > 60 and where.single and where.group)

-- conditions, each with the same in Lua: of a message, its place from the newest on, its conversation
local conditions = {
  { policy.older_than((now - some.late) .. "ms"), function(m) return m.time < some.late end },
  { policy.older_than((now - some.early) .. "ms"), function(m) return m.time < some.early end },
  { policy.before(some.late), function(m) return m.time < some.late end },
  { policy.since(some.early), function(m) return m.time >= some.early end },
  { policy.from(some.from), function(m) return m.from == some.from end },
  { policy.from(account.user), function(m) return m.from == account.user end },
  { policy.kind "text", function(m) return m.kind == "text" end },
  { policy.kind "image" + policy.kind "voice", function(m) return m.kind == "image" or m.kind == "voice" end },
  { policy.kind "vote", function(m) return m.kind == "vote" end },
  { policy.in_conversation "group:*", function(m) return m.conversation:find "^group:" ~= nil end },
  { policy.in_conversation(some.conversation.id), function(m) return m.conversation == some.conversation.id end },
  { policy.larger_than "1kB", function(m) return (m.body.size_bytes or 0) > 1000 end },
  { policy.matches(some.word .. "*"), function(m) return m.text and m.text:sub(1, #some.word) == some.word or false end },
  { policy.newest(7), function(_, place) return place <= 7 end },
  { policy.newest(60), function(_, place) return place <= 60 end },
  { policy.pinned, function(_, _, conversation) return conversation.pinned end },
  { policy.all, function() return true end },
}
math.randomseed(11)
local function random_policy(depth)
  if depth == 0 then
    local one = conditions[math.random(#conditions)]
    return one[1], one[2]
  end
  local a, is_a = random_policy(depth - math.random(1, depth))
  local b, is_b = random_policy(depth - math.random(1, depth))
  local how = math.random(3)
  if how == 1 then return a + b, function(...) return is_a(...) or is_b(...) end end
  if how == 2 then return a * b, function(...) return is_a(...) and is_b(...) end end
  return a - b, function(...) return is_a(...) and not is_b(...) end
end
local function wanted(conversation, is, order, into)
  local list = everything[conversation.id]
  local from, to, step = 1, #list, 1
  if order == "oldest" then from, to, step = #list, 1, -1 end
  for i = from, to, step do if is(list[i], i, conversation) then into[#into + 1] = list[i].id end end
end
local function compare(conversation, one, is, order)
  local want, n = {}, 0
  wanted(conversation, is, order, want)
  for message in conversation:select(one, { order = order, now = now }) do
    n = n + 1
    if message.id ~= want[n] then return false end
  end
  return n == #want, n
end

account:conversation(places[2].id):pin()
for i, conversation in ipairs(places) do
  for listed in account:conversations { only = { conversation.id } } do
    if listed.id == conversation.id then places[i] = listed end
  end
end
check("a conversation is pinned", places[2].pinned)
local good, found = true, 0
for _, condition in ipairs(conditions) do
  for _, order in ipairs { "newest", "oldest" } do
    local same, n = compare(some.conversation, condition[1], condition[2], order)
    if not same then check(("%s, %s first"):format(condition[1], order), false) end
    good, found = good and same, found + (n or 0)
  end
end
check("conversation:select gives what each condition means", good and found > 100)
good, found = true, 0
for i = 1, 60 do
  local one, is = random_policy(math.random(1, 4))
  local conversation = places[math.random(#places)]
  local same, n = compare(i % 2 == 0 and conversation or some.conversation, one, is, i % 3 == 0 and "oldest" or "newest")
  if not same then check(("%s in %s"):format(one, conversation.id), false) end
  good, found = good and same, found + (n or 0)
end
check("and what random ones mean", good and found > 100)

for _, order in ipairs { "newest", "oldest" } do
  local want, got, one = {}, {}, policy.since(some.early) - policy.newest(3) - policy.pinned - policy.kind "image"
  for _, conversation in ipairs(places) do
    wanted(conversation, function(m, place, c)
      return m.time >= some.early and place > 3 and not c.pinned and m.kind ~= "image"
    end, order, want)
  end
  for message in account:select(one, { order = order, now = now }) do got[#got + 1] = message.id end
  table.sort(want)
  table.sort(got)
  check(("account:select goes through all conversations, %s first"):format(order),
    #got > 50 and table.concat(got, " ") == table.concat(want, " "))
end
local n, others = 0, 0
for message in account:select(policy.all, { conversations = { some.conversation.id, some.conversation.id }, limit = 60 }) do
  n = n + 1
  if message.conversation ~= some.conversation.id then others = others + 1 end
end
check("of those that are named, and so many", n == 60 and others == 0)
local next_message, _, _, left = account:select(policy.all)
local first = next_message()
for message in next_message, nil, nil, left do if message.id ~= first.id then break end end
check("one may leave it", first ~= nil and next_message() == nil)
-- A plan asks the same way: whether a conversation is pinned is not known of one that is only named.
local only = { places[2].id }
check("a plan leaves out what is pinned", account:plan(policy.all - policy.pinned, { conversations = only }).planned == 0)
local vote = account:plan(policy.kind "vote" + policy.kind "text", { conversations = only })
local texts_n = 0
for _ in account:conversation(only[1]):select(policy.kind "text") do texts_n = texts_n + 1 end
check("and goes with kinds that no cloud knows", texts_n > 0 and vote.planned == texts_n)
good = true
for i = 3, #conditions do -- the first two count from the moment of the call
  local one, planned = conditions[i][1] - policy.newest(5), 0
  for _ in some.conversation:select(one) do planned = planned + 1 end
  local plan = account:plan(one, { conversations = { some.conversation.id } })
  if plan.planned ~= planned then check(("%s is planned as it is selected"):format(one), false) end
  good = good and plan.planned == planned
end
check("what is planned is what is selected", good)
account:conversation(places[2].id):pin(false)

-- How much is asked of the cloud: pages there, frames here.
local function cost(one, order)
  local function stats()
    local all = moontide.json.decode(moontide.http.get(rest .. "/sandbox/stats").body)
    return all.pages + all.rongcloud.frames
  end
  local start = stats()
  for _ in some.conversation:select(one, { order = order, now = now }) do start = start + 0 end
  return stats() - start
end
local whole = cost(policy.all)
check("what a policy cannot mean is not asked for", cost(policy.in_conversation "single:nobody") == 0
  and cost(policy.older_than "1d" - policy.all) == 0 and cost(policy.since(some.late) * policy.before(some.early)) == 0)
check("times are", cost(policy.before(some.early)) < whole // 2 and cost(policy.since(some.late), "oldest") < whole // 2)
check("of the newest only they are", cost(policy.newest(3) * policy.kind "text", "oldest") <= whole // 2
  and cost(policy.before(some.early) - policy.newest(3)) < whole // 2 + whole // 4)
if account:can "history.kinds" then check("and kinds", cost(policy.kind "location" * policy.from(some.from)) < whole) end

fault = fault_of(account.select, account, "all")
check("a text is no policy here", fault.code == "policy.type" and fault.message:find("parse", 1, true) ~= nil)
check("unknown options name the nearest",
  fault_of(account.select, account, policy.all, { ordr = "newest" }).message:find("'order'", 1, true) ~= nil
  and fault_of(some.conversation.select, some.conversation, policy.all, { limt = 1 }).message:find("'limit'", 1, true) ~= nil)
check("a conversation that is not there has nothing",
  account:conversation("single:nobody-there"):select(policy.newest(3))() == nil)
local reads = { room = "room:1", ultra = "ultra:1/c", system = "system:x" }
for kind, id in pairs(reads) do -- as history does: what it refuses is refused, in the same words
  local there, conversation = moontide.try(account.conversation, account, id)
  local a = there and fault_of(function() return conversation:history {}() end) or conversation
  local b = there and fault_of(function() return conversation:select(policy.newest(2) + policy.kind "text")() end) or a
  check(kind .. ": select can what history can", a.code == b.code)
end
-- What arrives while it is read is newer than what was counted, and what was counted stays where it was.
local guest = account:conversation "single:guest"
for i = 1, 5 do guest:send("policy " .. i) end
local texts = {}
for message in guest:select(policy.newest(2) * policy.matches "policy*", { order = "oldest" }) do
  if #texts == 0 then guest:send "policy late" end
  texts[#texts + 1] = message.text
end
check("newest holds while messages come", texts[1] == "policy 4" and texts[2] == "policy 5")
-- What the list does not say, or not whole, is told.
if cloud == "easemob" then
  local function faults(text) return moontide.http.post(rest .. "/sandbox/faults", text).status == 200 end
  check("the cloud can be an old one", faults "no_list_cursor_form,no_list_page_form,old_list_limit=10")
  local tablet, given = moontide.account "tablet", 0
  fault = fault_of(function() for _ in tablet:select(policy.newest(1)) do given = given + 1 end end)
  check("a list that stops is told at the end", fault.code == "conversations.truncated" and given == 10)
  for _ in tablet:select(policy.newest(1), { limit = 10 }) do given = given - 1 end
  check("a limit that is reached before needs no more", given == 0)
  fault = fault_of(function() for _ in tablet:select(policy.all - policy.pinned) do given = given + 1 end end)
  check("pins that nobody knows are no pins that are not there", fault.code ~= "none" and given == 0)
  check("and a new one again", faults "seed=9")
end
check(rest and cloud and "the cloud is named", account.provider == cloud)
