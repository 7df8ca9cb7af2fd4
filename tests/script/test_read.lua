-- Accounts, conversations and history against the sandbox.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end

local account = moontide.account "it"
local easemob = account.provider == "easemob"
check("account has its name", account.name == "it" and account.provider == select(2, ...))
check("accounts lists the configuration", moontide.accounts()[1] == "it")
check("account:can asks first", account:can "history" == true and account:can "history.until" == true)
local missing = easemob and "ultra" or "mark"
local can, why = account:can(missing)
check("account:can says why not", can == false and why:find(missing) ~= nil)
local known, unknown = moontide.try(account.can, account, "history.untill")
check("a capability that there is not names the nearest",
  not known and unknown.code == "capability.unknown" and unknown.message:find("'history.until'", 1, true) ~= nil)
local capabilities = account:capabilities()
local consistent = #capabilities > 20
for _, capability in ipairs(capabilities) do
  local yes = account:can(capability.name)
  consistent = consistent and yes == (capability.can ~= "no") and (capability.why == nil) == (capability.can == "yes")
    and #capability.meaning > 0
end
check("account:capabilities lists what account:can says", consistent)

check("account:clock knows nothing before the cloud was asked", account:clock().known == false and not account:clock().off_ms)
local list, ids = {}, {}
for conversation in account:conversations() do
  list[#list + 1] = conversation
  ids[conversation.id] = true
end
check("conversations come", #list > 10)
local clock = account:clock()
check("then account:clock knows the cloud's clock", clock.known and math.abs(clock.off_ms) < 60000)
if easemob then check("the page form gives the same", (function()
  local n = 0
  for conversation in account:conversations { form = "page" } do
    if not ids[conversation.id] then return false end
    n = n + 1
  end
  return n == #list
end)()) end
local ok, fault = moontide.try(function() for _ in account:conversations { form = "old" } do end end)
check("the old form's stop is a fault", not ok and fault.code == (easemob and "conversations.truncated" or "conversations.form"))
check("a conversation has its fields", list[1].unread ~= nil and list[1].kind ~= nil and list[1].last.id ~= nil)
check("conversation:json is JSON", moontide.json.decode(list[1]:json()).id == list[1].id)

local longest, most = nil, 0
for _, conversation in ipairs(list) do
  local n = 0
  for _ in conversation:history { order = "oldest" } do n = n + 1 end
  if n > most then longest, most = conversation, n end
end
check("there is a history", most > 50)
local newest, oldest = {}, {}
for message in longest:history {} do newest[#newest + 1] = message.id end
for message in longest:history { order = "oldest" } do oldest[#oldest + 1] = message.id end
local same = #newest == #oldest
for i = 1, #newest do same = same and newest[i] == oldest[#oldest + 1 - i] end
check("both directions agree", same)
local paged, cursor = {}, nil
repeat
  local page = longest:history_page { limit = 7, cursor = cursor }
  for _, message in ipairs(page.messages) do paged[#paged + 1] = message.id end
  cursor = page.cursor
until page.is_last or not cursor
check("history_page by page gives the same", #paged == #newest and paged[#paged] == newest[#newest])
local n = 0
for message in longest:history { limit = 5 } do
  n = n + 1
  check("message:json has the id", moontide.json.decode(message:json()).id == message.id)
end
check("limit is kept", n == 5)
ok, fault = moontide.try(longest.history, longest, { limt = 1 })
check("an unknown option names the nearest", not ok and fault.message:find("did you mean 'limit'", 1, true) ~= nil)
ok, fault = moontide.try(longest.history_page, longest, { limit = 51 })
check("a limit out of range is refused", not ok and fault.code == "option.range")
local wrapped = coroutine.wrap(function()
  for message in longest:history { limit = 2 } do coroutine.yield(message.id) end
end)
check("waits pass through coroutines of the script", wrapped() == newest[1] and wrapped() == newest[2])
ok, fault = moontide.try(function() return moontide.account "ti" end)
check("an unknown account is a fault", not ok and fault.code == "config.no_account")
for _, one in ipairs(account:doctor()) do check("doctor: " .. one.name, one.result ~= "failed") end

local archive = moontide.archive("script-archive", { account = account })
local result = longest:export(archive, { window = "0s" })
check("conversation:export exports", result.added == most and result.complete)
check("archive:state knows it", archive:state(longest.id).messages == most)
archive:close()
archive = moontide.archive("script-archive", { account = account })
check("export again adds nothing", longest:export(archive, {}).added == 0)
check("archive:convert makes CSV", archive:convert("csv").messages == most)
archive:close()
local report = moontide.verify("script-archive", { mode = "read-all" })
check("moontide.verify finds it complete", report.verdict == "complete")
