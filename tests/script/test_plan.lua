-- run: --grant read,send,delete:3,files --apply
-- Plans from a script: made, looked at, judged, applied; newest(n), and what stands in the way.
local moontide = require "moontide"
local policy = moontide.policy
local function check(name, ok, more) print((ok and "pass " or "fail ") .. name .. (ok and "" or ": " .. tostring(more))) end
local function code(f, ...) local ok, fault = moontide.try(f, ...) return not ok and fault.code end

local account = moontide.account "guest"
local conversation = account:conversation "single:planned"
local sent = {}
for i = 1, 6 do sent[i] = conversation:send("plan " .. i).id end
local one = { conversations = { "single:planned" } }

local plan = account:plan(policy.all, one)
check("a plan of everything", plan.planned == 6 and plan.seen == 6 and plan.held == 0 and #plan.conversations == 1, plan.planned)
check("it says of what, and by which policy",
  plan.user == "guest" and plan.account == "guest" and plan.policy == "all", plan.policy)
local item = plan.conversations[1]
check("and from when to when", item.id == "single:planned" and item.oldest <= item.newest and plan.oldest == item.oldest)
local calls = 0
local same = account:plan(policy.all, { conversations = { "planned" }, progress = function() calls = calls + 1 end })
check("the same messages, the same hash", same.hash == plan.hash and calls == 1, same.hash)
check("other messages, another hash", account:plan(policy.matches "plan 1", one).hash ~= plan.hash)
check("a plan is found again", account:open_plan(plan.hash).planned == 6)
check("one that is none is not", code(account.open_plan, account, ("0"):rep(64)) == "plan.none")
check("a hash is a hash", code(account.open_plan, account, "../../x") == "plan.hash")
check("another account's is refused there",
  code(function() return moontide.account "it":open_plan(plan.hash):check { archive = moontide.archive("plan-other",
    { account = moontide.account "it" }) } end) == false)

-- the newest are counted as the conversation has them, whoever reads it in whatever order
for n, want in pairs { [1] = 5, [4] = 2, [6] = 0, [9] = 0 } do
  local kept = account:plan(policy.all - policy.newest(n), one)
  check(("all but the newest %d"):format(n), kept.planned == want and kept.seen == 6, kept.planned)
end
local both = account:plan(policy.newest(4) - policy.newest(1), one)
check("the second to the fourth", both.planned == 3, both.planned)
check("none of another conversation",
  account:plan(policy.all * policy.in_conversation "group:*", one).planned == 0)

local archive = moontide.archive("planned", { account = account })
local before = plan:check { archive = archive }
check("what is not archived does not pass", before.let == 0 and before.refused.not_archived == 6, before.refused.not_archived)
check("and it says where", #before.short == 1 and before.short[1] == "single:planned")
check("nor is it deleted", plan:apply { archive = archive }.deleted == 0)
conversation:export(archive)
local check_again = plan:check { archive = archive }
check("archived, it passes", check_again.let == 6 and #check_again.short == 0, check_again.let)

local result = plan:apply { archive = archive }
check("as many as were granted", result.deleted == 3 and result.refused.cap == 3 and result.cap == 3, result.deleted)
local left = {}
for message in conversation:history {} do left[message.id] = true end
local n = 0
for _, id in ipairs(sent) do n = n + (left[id] and 1 or 0) end
check("they are gone, the others are not", n == 3, n)
local after = plan:apply { archive = archive }
check("no more in this run", after.deleted == 0 and after.cap == 0, after.deleted)
archive:close()
check("a closed archive is none", code(plan.check, plan, { archive = archive }) == "archive.closed")
check("options are looked at", code(plan.apply, plan, { archiv = archive }) == "option.unknown")
