-- run: --grant send --apply
-- Without read not even an event comes; a dry run is left by --apply alone, which grants nothing.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function code(f, ...) local ok, fault = moontide.try(f, ...) return not ok and fault.code end

local account = moontide.account "it"
local conversation = account:conversation "single:guest"
check("conversations are refused", code(account.conversations, account) == "grant.denied")
check("history is refused", code(conversation.history, conversation) == "grant.denied")
check("selecting is refused", code(conversation.select, conversation, moontide.policy.all) == "grant.denied"
  and code(account.select, account, moontide.policy.all, { conversations = { conversation.id } }) == "grant.denied"
  and code(account.select, account, moontide.policy.all) == "grant.denied")
check("pages are refused", code(conversation.history_page, conversation) == "grant.denied")
check("the doctor is refused", code(account.doctor, account) == "grant.denied")
check("--apply grants nothing", code(conversation.delete, conversation) == "grant.denied")
