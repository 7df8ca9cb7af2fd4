-- Sends one text message. What `moontide send` runs.
local moontide = require "moontide"

return moontide.script {
  name = "send",
  summary = "Send a text message.",
  category = { "sends" },
  args = {
    account = moontide.arg.string { required = true, short = "a", doc = "the account, as the configuration names it" },
    to = moontide.arg.string { required = true, doc = "a user, or a conversation such as group:1" },
    group = moontide.arg.flag { doc = "--to is the id of a group" },
    text = moontide.arg.string { required = true, positional = 1, doc = "the text" },
    json = moontide.arg.flag { doc = "print the result as one JSON object" },
  },
  grant = { send = true },
  sample = "sent 1200000000000000001",
  run = function(job)
    local args = job.args
    local account = moontide.account(args.account)
    local target = args.group and "group:" .. args.to:gsub("^group:", "") or args.to
    local sent = account:conversation(target):send(args.text)
    print(args.json and moontide.json.encode(sent) or "sent " .. sent.id)
    return 0
  end,
}
