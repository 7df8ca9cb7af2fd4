-- What a script may not do, it cannot: every function whose record names a grant is refused without it.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function fault_of(f, ...) local ok, fault = moontide.try(f, ...) return ok and {} or fault end

local account = moontide.account "it"
local conversation = account:conversation "single:guest"
local fault = fault_of(conversation.delete_messages, conversation, { ids = { "1" } })
check("deleting needs a stated grant",
  fault.code == "grant.denied" and fault.message:find("--grant read,mark_read,send,delete", 1, true) ~= nil)
check("so does the conversation", fault_of(conversation.delete, conversation).code == "grant.denied")
check("so does everything", fault_of(account.delete_everything, account).code == "grant.denied")
check("so do pins and marks", fault_of(conversation.pin, conversation).code == "grant.denied"
  and fault_of(conversation.mark, conversation, 1).code == "grant.denied")
check("a plain chunk may read and send",
  conversation:history_page { limit = 1 }.messages ~= nil and account:conversation("nobody"):send("x").id ~= nil)
