-- Plans: what a policy means at an account, written down before anything is deleted.
local core = ...
local selecting = require "moontide.select"
local plans = {}
local Plan = {}
Plan.__index = Plan
Plan.__name = "moontide.plan"

local CONCURRENCY = 16

--- The conversations as options name them, or all that the cloud lists; why there may be more.
local function choose(account, options)
  local list = {}
  if options.conversations then
    local wanted = {}
    for i, id in ipairs(options.conversations) do wanted[i] = account:conversation(id).id end
    for i, id in ipairs(wanted) do list[i] = account:conversation(id) end
    return list, nil
  end
  local ok, fault = pcall(function()
    for conversation in account:conversations { empty = true } do list[#list + 1] = conversation end
  end)
  if ok then return list, nil end
  fault = core.fault(fault)
  if fault.code == "conversations.truncated" then return list, fault.message end
  error(fault, 0)
end

local function look(account, hash, unseen)
  local plan = core.plan_look(hash)
  plan.unseen = unseen
  table.sort(plan.conversations, function(a, b) return a.id < b.id end)
  return setmetatable(plan, { __index = Plan, __name = "moontide.plan", account = account })
end

--- account:plan(policy, { conversations, holds, progress })
function plans.plan(account, policy, options)
  options = options or {}
  core.check_options("account:plan", options)
  local planner = core.plan_begin(account, policy, options.holds)
  local list, unseen = choose(account, options)
  local _, asks = core.policy_about(policy)
  local pinned = asks and selecting.pinned_of(account) or {}
  local at, done, failure = 1, 0, nil
  local function worker()
    while not failure do
      local conversation = list[at]
      if not conversation then return end
      at = at + 1
      local ok, fault = pcall(planner.add, planner, conversation, pinned[conversation.id] or false)
      if not ok then
        failure = failure or fault
        return
      end
      done = done + 1
      if options.progress then options.progress(done, #list) end
    end
  end
  local tasks = {}
  for i = 1, math.min(CONCURRENCY, #list) do tasks[i] = core.spawn(worker) end
  for _, task in ipairs(tasks) do task:join() end
  if failure then error(failure, 0) end
  local _, hash = planner:finish()
  return look(account, hash, unseen)
end

--- account:open_plan(hash)
function plans.open(account, hash) return look(account, hash) end

local function account_of(plan) return getmetatable(plan).account end

--- plan:check { archive }: what the gate would say, with nothing deleted.
function Plan.check(plan, options)
  core.check_options("plan:check", options)
  return core.plan_check(account_of(plan), options.archive, plan.path, options.holds)
end

--- plan:apply { archive, holds }
function Plan.apply(plan, options)
  core.check_options("plan:apply", options)
  return core.plan_apply(account_of(plan), options.archive, plan.path, options.holds)
end

return plans
