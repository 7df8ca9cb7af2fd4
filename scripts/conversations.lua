-- Lists an account's conversations, all pages. What `moontide conversations` runs.
local moontide = require "moontide"

local function line(conversation)
  local last = conversation.last
  local text = last and (last.text or "[" .. last.kind .. "]") or ""
  text = text:gsub("%s+", " ")
  local cut = utf8.offset(text, 49)
  if cut and cut <= #text then text = text:sub(1, cut - 1) .. "…" end
  return ("%-40s %6s  %s  %s%s"):format(conversation.id, conversation.unread or "?",
    last and last.at:sub(1, 19) or (" "):rep(19), conversation.pinned and "[pinned] " or "", text)
end

return moontide.script {
  name = "conversations",
  summary = "List an account's conversations with unread count and last message.",
  category = { "reads" },
  args = {
    account = moontide.arg.string { required = true, short = "a", doc = "the account, as the configuration names it" },
    pinned = moontide.arg.flag { doc = "only pinned ones" },
    mark = moontide.arg.integer { min = 0, max = 19, doc = "only those with this mark" },
    empty = moontide.arg.flag { doc = "also those whose messages have all expired" },
    form = moontide.arg.string { doc = "the cloud's own name of a list form (Easemob: list, page, old)" },
    json = moontide.arg.flag { doc = "one JSON object a line" },
    raw = moontide.arg.flag { doc = "with --json: the cloud's original bytes of the last message too" },
  },
  grant = { read = true },
  sample = "single:bob                                    3  2026-11-20T09:30:00  see you",
  run = function(job)
    local args = job.args
    local account = moontide.account(args.account)
    local options = { pinned = args.pinned, mark = args.mark, empty = args.empty, form = args.form }
    local ok, fault = moontide.try(function()
      for conversation in account:conversations(options) do
        print(args.json and conversation:json { raw = args.raw } or line(conversation))
      end
    end)
    if ok then return 0 end
    if fault.code ~= "conversations.truncated" then error(fault, 0) end
    moontide.log.warn(fault.message)
    return 3
  end,
}
