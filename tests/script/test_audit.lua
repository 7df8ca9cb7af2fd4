-- run: --grant read,mark_read,send,delete,audit --apply
-- What is deleted and sent stands in the audit: before, and what came of it.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end

local account = moontide.account "it"
local chat = account:conversation "single:guest"
local begun = moontide.now()
local sent = chat:send "keep this out of the audit"
local recalled
for message in chat:history { limit = 5 } do
  if message.id == sent.id then recalled = message end
end

local function records(options)
  local list, lines = {}, {}
  for record, line in moontide.audit(options) do
    list[#list + 1] = record
    lines[#lines + 1] = line
  end
  return list, table.concat(lines, "\n")
end

local list, text = records { since = begun, verb = "send" }
local intent, result = list[1], list[2]
check("a message that is sent has an intent", intent and intent.type == "intent" and intent.account == "it"
  and intent.user == account.user and intent.conversation == chat.id and intent.detail.kind == "text")
check("and who sends it", intent.actor:find("test_audit.lua", 1, true))
check("and a result with its id", result and result.type == "result" and result.intent == intent.seq
  and result.outcome == "done" and result.ids[1] == sent.id)
check("and nothing of what it says", not text:find("keep this out", 1, true))
check("records are numbered, and each has the hash of the one before", result.seq > intent.seq and #result.prev == 64)

recalled:recall()
list = records { id = sent.id, verb = "recall" }
check("a message that is taken back is found by its id", #list == 2 and list[1].ids[1] == sent.id
  and list[2].intent == list[1].seq)

local gone = chat:send "away"
chat:delete_messages { ids = { chat:history { limit = 1 }() }, why = "case 7" }
list = records { id = gone.id, verb = "delete_messages", account = "it" }
check("what is deleted is named, with the reason", #list == 2 and list[1].why == "case 7" and list[2].outcome == "done")
check("records of no other account", #records { account = "nobody" } == 0)

check("of one conversation", #records { since = begun, conversation = chat.id } > 5
  and #records { since = begun, conversation = "single:nobody" } == 0)
check("of one person, by its chat or its account", #records { since = begun, person = "guest" } > 5
  and #records { since = begun, person = account.user } > 5 and #records { since = begun, person = "gues" } == 0)
check("of one who did it, by a part of the name", #records { since = begun, actor = "test_audit" } > 3
  and #records { since = begun, actor = "job nightly" } == 0)
check("of no plan", #records { plan = "3f" } == 0)

local ok, fault = moontide.try(chat.delete_messages, chat, { ids = { "1" }, whhy = "x" })
check("an unknown option is refused", not ok and fault.code == "option.unknown")
chat:mark_read()
list = records { verb = "mark_read", since = begun }
check("a read receipt stands there too", #list == 2 and list[2].outcome == "done")

local proof = moontide.audit_verify()
check("the audit is proved", proof.verdict == "sound" and proof.records >= list[2].seq and #proof.key == 64
  and proof.pem:find("PUBLIC KEY", 1, true) and proof.torn_bytes == 0)
local last = list[2]
local after
for record in moontide.audit { since = begun } do if record.seq == last.seq + 1 then after = record.prev end end
if not after then
  chat:mark_read()
  for record in moontide.audit { since = begun } do if record.seq == last.seq + 1 then after = record.prev end end
end
local noted = ("%d:%s"):format(last.seq, after)
check("what was noted is there", moontide.audit_verify { noted = noted }.verdict == "sound")
local other = moontide.audit_verify { noted = ("%d:%s"):format(last.seq - 1, after) }
check("what is another is found", other.verdict == "damaged" and other.code == "audit.noted")
other = moontide.audit_verify { noted = ("%d:%s"):format(10000000, after) }
check("what is behind the end was cut", other.verdict == "cut" and other.code == "audit.cut")
ok, fault = moontide.try(moontide.audit_verify, { noted = "12" })
check("what is no note is refused", not ok and fault.code == "audit.noted")
ok, fault = moontide.try(moontide.audit_prune, { before = "1d", apply = true })
check("no script removes records", not ok and fault.code == "audit.by_hand")
ok, fault = moontide.try(moontide.audit_compact)
check("nor compresses them", not ok and fault.code == "audit.by_hand")
check("every intent has its result", proof.unsettled == 0)
local ended = 0
for _ = 1, 20 do
  moontide.spawn(function()
    chat:send "at once"
    ended = ended + 1
  end)
end
while ended < 20 do moontide.sleep "1ms" end
check("twenty at once have twenty intents and results", #records { verb = "send", since = begun } == 44)
