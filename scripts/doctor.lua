-- Checks the configuration and an account's way to its cloud. What `moontide doctor` runs.
local moontide = require "moontide"

return moontide.script {
  name = "doctor",
  summary = "Check configuration, name lookup, TLS, token, and which paid features are open.",
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
      if not ok then checks = { { name = "configuration", result = "failed", detail = checks.message } } end
      for _, check in ipairs(checks) do
        if check.result == "failed" then status = 1 end
        print(args.json and moontide.json.encode { account = name, name = check.name, result = check.result,
          detail = check.detail } or ("%s  %-20s %-8s %s"):format(name, check.name, check.result, check.detail))
      end
    end
    return status
  end,
}
