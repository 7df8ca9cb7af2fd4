-- Archives, then deletes, what a policy means: plan, archive, verify, delete, audit, in that order. What `moontide
-- retention` runs. Without --apply it prints the plan and changes nothing.
local moontide = require "moontide"

local DAY = 86400000
local CONCURRENCY = 16

local function date(ms) return ms and os.date("!%Y-%m-%d", ms // 1000) or "-" end

local function policy_of(args)
  local policy = args.policy and moontide.policy.load(args.policy)
  local age = args["older-than"] and moontide.policy.older_than(args["older-than"] .. "ms")
  if policy and age then return policy * age end
  if not policy and not age then error("retention needs --older-than AGE, or --policy FILE, or both", 0) end
  return policy or age
end

local function fetch(archive, conversation, options)
  local ok, fault = moontide.try(conversation.export, conversation, archive, options)
  return ok or fault
end

--- Calls f with each of the list, a few at once; the first failure ends it.
local function each(list, label, f)
  local at, done, failure = 1, 0, nil
  local function worker()
    while list[at] and not failure do
      local item = list[at]
      at = at + 1
      local ok, fault = moontide.try(f, item)
      if not ok then failure = failure or fault end
      done = done + 1
      moontide.progress { label = label, done = done, total = #list, unit = "conversations" }
    end
  end
  local tasks = {}
  for i = 1, math.min(CONCURRENCY, #list) do tasks[i] = moontide.spawn(worker) end
  for _, task in ipairs(tasks) do task:join() end
  if failure then error(failure, 0) end
end

--- Brings what the plan means into the archive. What was edited long after it was sent is read again: a usual run looks
-- back two days only.
local function fill(account, dir, plan, holds)
  local archive = moontide.archive(dir, { account = account })
  local oldest = {}
  for _, item in ipairs(plan.conversations) do if item.planned > 0 then oldest[#oldest + 1] = item end end
  local from = {}
  for _, item in ipairs(oldest) do from[item.id] = item.oldest end
  local ok, fault = moontide.try(function()
    each(oldest, "archiving", function(item)
      local result = fetch(archive, account:conversation(item.id))
      if result ~= true then error(result, 0) end
    end)
    local check = plan:check { archive = archive, holds = holds }
    each(check.short, "archiving again", function(id)
      local window = moontide.now() - from[id] + DAY
      local result = fetch(archive, account:conversation(id), { window = window .. "ms" })
      if result ~= true then error(result, 0) end
    end)
  end)
  archive:close { clean = ok }
  if not ok then error(fault, 0) end
end

--- Every byte of the archive is read and every hash compared: what deletes leans on it.
local function proven(dir)
  local report = moontide.verify(dir)
  if report.verdict == "damaged" or report.verdict == "unfinished" then
    local first = report.problems[1] and ": " .. report.problems[1] or ""
    return nil, ("the archive %s is %s%s; nothing was deleted (moontide verify %s)"):format(
      dir, report.verdict, first, dir)
  end
  return report
end

local function apply(account, dir, plan, holds)
  fill(account, dir, plan, holds)
  local report, why
  if plan.planned > 0 then -- an archive that nothing was brought into need not be whole
    report, why = proven(dir)
    if not report then return nil, why end
  end
  local archive = moontide.archive(dir, { account = account })
  local ok, result = moontide.try(plan.apply, plan, { archive = archive, holds = holds })
  archive:close { clean = true }
  if not ok then error(result, 0) end
  result.head = report and report.head
  return result
end

local function held_text(item)
  if item.held == 0 then return "" end
  local holds = item.holds and moontide.json.decode(item.holds) or {}
  local names = {}
  for id, n in pairs(holds) do names[#names + 1] = ("%s %d"):format(id, n) end
  table.sort(names)
  return (", %d held (%s)"):format(item.held, table.concat(names, ", "))
end

local function print_plan(plan)
  print(("plan %s"):format(plan.hash))
  print(("  policy: %s"):format(plan.policy))
  for _, item in ipairs(plan.conversations) do
    print(("  %s: %d of %d messages%s%s"):format(item.id, item.planned, item.seen,
      item.planned > 0 and (", %s to %s"):format(date(item.oldest), date(item.newest)) or "", held_text(item)))
  end
  print(("%d messages to delete, %d held, %d read"):format(plan.planned, plan.held, plan.seen))
  if plan.unseen then print("not seen: " .. plan.unseen) end
end

local WORDS = {
  { "held", "held" }, { "not_archived", "not in the archive" }, { "changed", "changed since they were archived" },
  { "in_gap", "in a gap of the archive" }, { "cap", "beyond the cap" },
}

local function noted(result) return result.audit and ("%d:%s"):format(result.audit.record, result.audit.sha256) end

local function print_result(result)
  print(("%d messages deleted, and read back as gone"):format(result.deleted))
  if result.audit then print(("audit: %s (moontide audit --verify --noted …)"):format(noted(result))) end
  local function say(n, text) if n > 0 then print(text:format(n)) end end
  say(result.settled, "%d messages that an interrupted run had deleted are in the audit now")
  say(result.absent, "%d messages were not there any more")
  say(result.left, "%d messages were asked for and are still there: run it again")
  for _, word in ipairs(WORDS) do
    local n = result.refused[word[1]]
    if n > 0 then print(("%d messages were left alone: %s"):format(n, word[2])) end
  end
  if result.refused.cap > 0 then
    print(("one run deletes %d messages of this account at most; --max N says otherwise"):format(result.cap))
  end
end

local function json_of(plan, result)
  local conversations = {}
  for i, item in ipairs(plan.conversations) do
    conversations[i] = {
      id = item.id, seen = item.seen, planned = item.planned, held = item.held,
      oldest = item.oldest, newest = item.newest,
      holds = item.holds and moontide.json.decode(item.holds) or nil,
    }
  end
  return {
    plan = plan.hash, policy = plan.policy, planned = plan.planned, held = plan.held, seen = plan.seen,
    conversations = moontide.json.array(conversations), unseen = plan.unseen, applied = result ~= nil,
    deleted = result and result.deleted or 0, left = result and result.left, absent = result and result.absent,
    settled = result and result.settled,
    left_over = result and result.refused, cap = result and result.cap or plan.cap,
    archive_head = result and result.head, audit = result and noted(result),
    fault = result and result.fault and { code = result.fault.code, message = result.fault.message } or nil,
  }
end

local function make(account, args)
  if args.plan then return account:open_plan(args.plan) end
  return account:plan(policy_of(args), {
    holds = args.hold, conversations = args.conversation,
    progress = function(done, total)
      moontide.progress { label = "planning", done = done, total = total, unit = "conversations" }
    end,
  })
end

return moontide.script {
  name = "retention",
  summary = "Archive, then delete from the account's own view of the server, what a policy means.",
  category = { "deletes" },
  args = {
    account = moontide.arg.string { required = true, short = "a", doc = "the account, as the configuration names it" },
    ["older-than"] = moontide.arg.duration { min = "1h", doc = "what is older than this age, such as 90d" },
    policy = moontide.arg.string {
      doc = "a file with a policy (docs/policies.md); with --older-than both must mean a message",
    },
    conversation = moontide.arg.list { doc = "only this conversation, such as single:bob or group:1; repeatable" },
    hold = moontide.arg.string {
      doc = "a list of legal holds besides those of the configuration (docs/holds.md): what it names stays",
    },
    archive = moontide.arg.string {
      short = "o", doc = "the archive's folder; needed with --apply, filled before anything is deleted",
    },
    plan = moontide.arg.string {
      doc = "apply exactly this plan, which an earlier run has printed; not older than a day",
    },
    json = moontide.arg.flag { doc = "print the plan and the result as one JSON object" },
  },
  grant = { read = true, delete = { require = "archived" } },
  sample = "1234 messages to delete, 5 held, 20000 read",
  run = function(job)
    local args = job.args
    if job.apply and not args.archive then
      error("retention --apply needs --archive DIR: what is deleted is archived first", 0)
    end
    local account = moontide.account(args.account)
    local plan = make(account, args)
    if not args.json then print_plan(plan) end
    if not job.apply then
      local most = math.min(plan.planned, plan.cap)
      if args.json then print(moontide.json.encode(json_of(plan)))
      else print(("nothing was deleted; --apply --archive DIR would delete %d of them"):format(most)) end
      return plan.unseen and 3 or 0
    end
    local result, why = apply(account, args.archive, plan, args.hold)
    if not result then
      moontide.log.error(why)
      return 4
    end
    if args.json then print(moontide.json.encode(json_of(plan, result))) else print_result(result) end
    if result.fault then error(result.fault, 0) end
    local short = result.left > 0 or result.refused_total > result.refused.held or plan.unseen
    return short and 3 or 0
  end,
}
