-- Prints the history of one conversation. What `moontide history` runs.
local moontide = require "moontide"

local function line(message)
  local text = message.text or "[" .. message.kind .. "]"
  return ("%s  %s: %s"):format(message.at:sub(1, 19), message.from, (text:gsub("\n", "\n    ")))
end

return moontide.script {
  name = "history",
  summary = "Print the messages of one conversation.",
  category = { "reads" },
  args = {
    account = moontide.arg.string { required = true, short = "a", doc = "the account, as the configuration names it" },
    conversation = moontide.arg.string { required = true, positional = 1, doc = "such as single:bob, bob or group:1" },
    limit = moontide.arg.integer { min = 1, doc = "at most this many" },
    since = moontide.arg.time { doc = "only from this time on: RFC 3339, a date, or an age such as 12h" },
    ["until"] = moontide.arg.time { doc = "only before this time" },
    order = moontide.arg.choice { "newest", "oldest", default = "newest", doc = "which end comes first" },
    from = moontide.arg.string { doc = "only messages of this sender (groups)" },
    kind = moontide.arg.list { doc = "only messages of this kind; repeatable" },
    json = moontide.arg.flag { doc = "one JSON object a line" },
    raw = moontide.arg.flag { doc = "with --json: the cloud's original bytes too" },
  },
  grant = { read = true },
  sample = "2026-11-20T09:30:00  bob: see you",
  run = function(job)
    local args = job.args
    local conversation = moontide.account(args.account):conversation(args.conversation)
    local options = {
      limit = args.limit, since = args.since, ["until"] = args["until"], order = args.order,
      from = args.from, kinds = args.kind,
    }
    for message in conversation:history(options) do
      print(args.json and message:json { raw = args.raw } or line(message))
    end
    return 0
  end,
}
