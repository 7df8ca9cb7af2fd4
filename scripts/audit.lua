-- Shows what was deleted and sent: who, what, when, why, and what came of it; and proves that nothing of it was changed
-- or cut off; and keeps it small. What `moontide audit` runs.
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

local CSV = {
  "record", "at", "type", "account", "user", "actor", "verb", "conversation", "why", "intent", "outcome", "code", "ids",
}

--- A cell that a spreadsheet takes for a formula gets an apostrophe in front.
local function cell(value)
  local text = tostring(value or "")
  if text:find "^[=+@\t\r-]" then text = "'" .. text end
  return text:find '[",\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
end

local function csv(record)
  local cells = {}
  for i, name in ipairs(CSV) do
    local value = record[name]
    if name == "record" then value = record.seq
    elseif name == "at" then value = when(value)
    elseif name == "ids" then value = table.concat(value or {}, " ") end
    cells[i] = cell(value)
  end
  return table.concat(cells, ",")
end

local function verify(args)
  local proof = moontide.audit_verify { noted = args.noted }
  if args.json then
    print(moontide.json.encode(proof))
  elseif proof.verdict == "sound" then
    print(("sound: %d records in %d segments, %s to %s"):format(proof.records, proof.segments, when(proof.first_time),
      when(proof.last_time)))
    if proof.pruned_by then
      print(("whole from record %d on; those before it were removed, as record %d says"):format(proof.first,
        proof.pruned_by))
    end
    if args.noted then print("the record that was noted is there") end
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

local function prune(args)
  if not args.before then error("audit --prune needs --before, such as --before 730d", 0) end
  local gone = moontide.audit_prune { before = args.before, why = args.why, apply = args.apply }
  if args.json then
    print(moontide.json.encode(gone))
  elseif gone.records == 0 then
    print "nothing is that old: segments are removed as a whole, and the last one stays"
  else
    print(("%s %d records in %d segments, %s to %s, up to record %d:%s"):format(
      gone.record and "removed:" or "would remove", gone.records, gone.segments, when(gone.first_time),
      when(gone.last_time), gone.last, gone.sha256))
    if gone.unsettled > 0 then print(("%d of them have no result"):format(gone.unsettled)) end
    print(gone.record and ("record %d says so, and is signed"):format(gone.record)
      or "nothing was removed; --apply does it")
  end
  return 0
end

local function show(args)
  if args.csv then print(table.concat(CSV, ",")) end
  for record, text in moontide.audit {
    since = args.since, ["until"] = args["until"], account = args.account, verb = args.verb, id = args.id,
    conversation = args.conversation, person = args.person, actor = args.actor, plan = args.plan,
  } do
    print(args.json and text or args.csv and csv(record) or line(record))
  end
  return 0
end

return moontide.script {
  name = "audit",
  summary = "Show what was deleted and sent, by whom, when and why; prove that the record is whole; keep it small.",
  category = { "reads" },
  args = {
    since = moontide.arg.time { doc = "only from this time on" },
    ["until"] = moontide.arg.time { doc = "only before this time" },
    account = moontide.arg.string { short = "a", doc = "only of this account, by its name or its user's id" },
    verb = moontide.arg.string {
      doc = "only these: delete_messages, delete, delete_everything, recall, edit, send, mark_read",
    },
    id = moontide.arg.string { doc = "only what names this message" },
    conversation = moontide.arg.string { doc = "only of this conversation, such as single:bob" },
    person = moontide.arg.string { doc = "only what names this user: its account, and the single chats with it" },
    actor = moontide.arg.string { doc = "only what was done by this one, such as nightly of 'job nightly'" },
    plan = moontide.arg.string { doc = "only what a retention did under the plan whose hash begins so" },
    csv = moontide.arg.flag { doc = "as a table for spreadsheets" },
    noted = moontide.arg.string {
      doc = "with --verify: the NUMBER:HASH that a retention has printed must be there",
    },
    compact = moontide.arg.flag { doc = "compress the finished segments that are not" },
    prune = moontide.arg.flag {
      doc = "remove old segments, and leave a signed record that says so; prints what would go",
    },
    before = moontide.arg.time { doc = "with --prune: segments that have only older records, such as 730d" },
    why = moontide.arg.string { doc = "with --prune: the reason, for the record" },
    apply = moontide.arg.flag { doc = "with --prune: do it" },
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
    if args.prune then return prune(args) end
    if args.compact then
      print(("%d segments compressed"):format(moontide.audit_compact()))
      return 0
    end
    if args.verify or args.noted then return verify(args) end
    return show(args)
  end,
}
