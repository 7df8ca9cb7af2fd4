-- Shows what was deleted and sent: who, what, when, why, and what came of it; and proves that nothing of it was changed
-- or cut off. What `moontide audit` runs.
local moontide = require "moontide"

local function when(ms) return os.date("!%Y-%m-%dT%H:%M:%SZ", ms // 1000) end

local function what(record)
  local ids = record.ids or {}
  local list = #ids == 0 and "" or #ids <= 3 and " " .. table.concat(ids, " ") or (" %d messages"):format(#ids)
  local detail = record.detail and record.type == "intent" and " " .. moontide.json.encode(record.detail) or ""
  return (record.conversation and " " .. record.conversation or "") .. list .. detail
end

local function line(record)
  local who = record.account or record.user or "-"
  if record.type == "result" then
    return ("%s #%d %s %s of #%d: %s%s%s"):format(when(record.at), record.seq, who, record.verb or "result",
      record.intent, record.outcome or "?", record.code and " [" .. record.code .. "]" or "",
      record.ids and " " .. table.concat(record.ids, " ") or "")
  end
  return ("%s #%d %s %s%s by %s%s"):format(when(record.at), record.seq, who, record.verb or record.type, what(record),
    record.actor or "?", record.why and ": " .. record.why or "")
end

local function verify(args)
  local proof = moontide.audit_verify()
  if args.json then
    print(moontide.json.encode(proof))
  elseif proof.verdict == "sound" then
    print(("sound: %d records in %d segments, %s to %s"):format(proof.records, proof.segments, when(proof.first_time),
      when(proof.last_time)))
    print(("the head signs record %d; %s"):format(proof.head, proof.anchor
      and ("the anchor record %d"):format(proof.anchor) or "there is no anchor (audit { anchor = … })"))
    if proof.unsettled > 0 then
      print(("%d without a result: what came of them is not known"):format(proof.unsettled))
    end
    if proof.torn_bytes > 0 then
      print(("%d bytes of an append that did not end: the next start cuts them off"):format(proof.torn_bytes))
    end
  else
    local where = proof.record and (" at record %d"):format(proof.record) or ""
    print(("%s%s: %s"):format(proof.verdict, where, proof.problem))
  end
  return proof.verdict == "sound" and 0 or 4
end

return moontide.script {
  name = "audit",
  summary = "Show what was deleted and sent, by whom, when and why; or prove that the record of it is whole.",
  category = { "reads" },
  args = {
    since = moontide.arg.time { doc = "only from this time on" },
    ["until"] = moontide.arg.time { doc = "only before this time" },
    account = moontide.arg.string { short = "a", doc = "only of this account, by its name or its user's id" },
    verb = moontide.arg.string {
      doc = "only these: delete_messages, delete, delete_everything, recall, edit, send, mark_read",
    },
    id = moontide.arg.string { doc = "only what names this message" },
    json = moontide.arg.flag { doc = "the records as they are kept, one JSON object a line" },
    verify = moontide.arg.flag {
      doc = "prove every record, the signed head and the anchor; exit status 4 when damaged or cut",
    },
    key = moontide.arg.flag { doc = "print the public key that signs the head" },
  },
  grant = { audit = true },
  sample = "2026-11-21T03:00:04Z #12 support delete_messages single:bob 50 messages by job nightly: case 7",
  run = function(job)
    local args = job.args
    if args.key then
      print((moontide.audit_verify().pem:gsub("\n$", "")))
      return 0
    end
    if args.verify then return verify(args) end
    for record, text in moontide.audit {
      since = args.since, ["until"] = args["until"], account = args.account, verb = args.verb, id = args.id,
    } do
      print(args.json and text or line(record))
    end
    return 0
  end,
}
