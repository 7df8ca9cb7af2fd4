-- Checks the configuration and the way to an account's cloud, and says what can be done there: `moontide doctor`.
local moontide = require "moontide"

--- What the account's cloud can do: for people what it can in one line, then a line for each thing that it cannot, or
-- perhaps can.
local function tell_capabilities(name, json)
  local able = {}
  local account = moontide.account(name)
  for _, c in ipairs(account:capabilities()) do
    if json then
      print(moontide.json.encode { account = name, provider = account.provider, capability = c.name, can = c.can,
        meaning = c.meaning, why = c.why })
    elseif c.can == "yes" then
      able[#able + 1] = c.name
    end
  end
  if json then return end
  print(("%s  %-20s %-8s %s"):format(name, "can", "", table.concat(able, " ")))
  for _, answer in ipairs { "depends", "no" } do
    for _, c in ipairs(account:capabilities()) do
      if c.can == answer then print(("%s  %-20s %-8s %s"):format(name, "can " .. c.name, answer, c.why)) end
    end
  end
end

--- The lists of holds that are in force: one that cannot be read keeps everything from being deleted.
local function tell_holds(name)
  local list = {}
  for _, one in ipairs(moontide.account(name):holds()) do
    list[#list + 1] = { name = "holds", result = one.fault and "failed" or "ok",
      detail = one.fault and one.fault.message or ("%s: %d in force"):format(one.path, one.holds) }
  end
  list[1] = list[1] or { name = "holds", result = "ok", detail = "no list of holds is in force" }
  return list
end

return moontide.script {
  name = "doctor",
  summary = "Check configuration, name lookup, TLS, token, which paid features are open; what the cloud can do.",
  category = { "reads" },
  args = {
    account = moontide.arg.string { short = "a", doc = "check this account; without it all of the configuration" },
    json = moontide.arg.flag { doc = "one JSON object a line" },
  },
  grant = { read = true },
  sample = "support  token  ok  accepted",
  run = function(job)
    local args = job.args
    local names = args.account and { args.account } or moontide.accounts()
    local status = 0
    for _, name in ipairs(names) do
      local ok, checks = moontide.try(function() return moontide.account(name):doctor() end)
      if ok then table.move(tell_holds(name), 1, 100, #checks + 1, checks) end
      if not ok then checks = { { name = "configuration", result = "failed", detail = checks.message } } end
      for _, check in ipairs(checks) do
        if check.result == "failed" then status = 1 end
        print(args.json and moontide.json.encode { account = name, name = check.name, result = check.result,
          detail = check.detail } or ("%s  %-20s %-8s %s"):format(name, check.name, check.result, check.detail))
      end
      if ok then tell_capabilities(name, args.json) end
    end
    return status
  end,
}
