-- run: --grant read,delete:10
-- A stated grant and no --apply: nothing is deleted. A grant with a number lets only ids be deleted.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function code(f, ...) local ok, fault = moontide.try(f, ...) return not ok and fault.code end

local account = moontide.account "it"
local conversation = account:conversations()()
local id = conversation:history_page({ limit = 1 }).messages[1].id
check("without --apply it is a dry run", code(conversation.delete_messages, conversation, { ids = { id } }) == "delete.dry_run")
check("the message is there", conversation:history_page({ limit = 1 }).messages[1].id == id)
check("what nobody can count is refused", code(conversation.delete_messages, conversation, { before = "1d" }) == "grant.uncounted"
  and code(conversation.delete, conversation, { history = true }) == "grant.uncounted"
  and code(account.delete_everything, account) == "grant.uncounted")
check("the entry of the list counts nothing", code(conversation.delete, conversation) == "delete.dry_run")
