-- deleting.lua WANT: everything that removes messages, each once, against what is in force. WANT is "gone", or the code
-- of the fault that each must end in (CODE of what names messages, and CODE of what removes them unseen).
local moontide = require "moontide"
local want, unseen = ...
if unseen == "" then unseen = want end
local account = moontide.account()
local ann, bob = account:conversation "single:ann", account:conversation "single:bob"
local first, second = account:conversation "group:900001", account:conversation "group:900002"

local function check(name, wanted, f)
  local ok, fault = moontide.try(f)
  local got = ok and (fault and fault.code or "gone") or fault.code
  local good = got == wanted
  print((good and "pass " or "fail ") .. name .. (good and "" or ": " .. got .. ", " .. tostring(fault)))
end
local function some(conversation, n)
  local list = {}
  for message in conversation:history { limit = n } do list[#list + 1] = message end
  return list
end
local own = { ann:send "to be recalled", ann:send "to be edited" }
local by_id = {}
for _, message in ipairs(some(ann, 5)) do by_id[message.id] = message end

check("message:recall", want, function() by_id[own[1].id]:recall() end)
check("message:edit", want, function() by_id[own[2].id]:edit "edited" end)
check("delete_messages by messages", want, function() bob:delete_messages { ids = some(bob, 3) } end)
check("delete_messages by ids", want, function()
  local ids = {}
  for i, message in ipairs(some(first, 3)) do ids[i] = message.id end
  first:delete_messages { ids = ids }
end)
check("delete_messages by time", unseen, function() first:delete_messages { before = moontide.now() - 86400000 } end)
check("plan and apply", want == "gone" and "gone" or want == "hold.message" and "held" or want, function()
  local plan = account:plan(moontide.policy.all, { conversations = { ann.id } })
  local archive <close> = moontide.archive("archive", { account = account })
  ann:export(archive)
  local result = plan:apply { archive = archive }
  local fault = result.fault or { code = plan.held > 0 and "held" or nil }
  if fault.code then return fault end
  assert(result.deleted == result.cap and result.cap > 0, "what it may delete is not gone")
end)
check("conversation:delete", unseen, function() second:delete() end)
check("conversation:delete with its history", unseen, function() second:delete { history = true } end)
check("account:delete_everything", unseen, function() account:delete_everything() end)
check("its list is nobody's to touch", "file.private", function()
  moontide.archive("holds.jsonl", { account = account })
end)
