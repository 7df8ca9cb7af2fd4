-- Answers every text with the same text: the smallest bot, to see that account and connection work.
local moontide = require "moontide"

return moontide.script {
  name = "echo",
  summary = "Answer every text with the same text.",
  category = { "bots", "sends" },
  args = {
    account = moontide.arg.string { required = true, short = "a", doc = "the account, as the configuration names it" },
    prefix = moontide.arg.string { default = "", doc = "put in front of every answer" },
    groups = moontide.arg.flag { doc = "answer in groups and rooms, too" },
  },
  grant = { read = true, send = true },
  sample = "online",
  run = function(job)
    local account = moontide.account(job.args.account)
    account:on("connected", function() print "online" end)
    account:on("message", function(message, event)
      -- what this user wrote on another device comes here, too: to answer it would have no end
      if message.direction == "sent" or not message.text then return end
      if event.conversation.kind ~= "single" and not job.args.groups then return end
      message:reply(job.args.prefix .. message.text)
    end)
  end,
}
