-- run: --grant read
-- --grant narrows: this script may read and nothing else.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function code(f, ...) local ok, fault = moontide.try(f, ...) return not ok and fault.code end

local account = moontide.account "it"
local conversation = account:conversations()()
local message = conversation:history_page({ limit = 1 }).messages[1]
check("reading goes", message ~= nil)
check("sending does not", code(conversation.send, conversation, "x") == "grant.denied")
check("resetting does not", code(conversation.mark_read, conversation) == "grant.denied")
check("receipts do not", code(message.mark_read, message) == "grant.denied")
check("recall does not", code(message.recall, message) == "grant.denied")
check("edit does not", code(message.edit, message, "x") == "grant.denied")
