-- Copies an account's conversations into an archive: only what is new, edits and recalls of the recent past as
-- lines of their own, gaps written down. What `moontide export` runs.
local moontide = require "moontide"

local PAUSES = { "5s", "15s", "30s", "60s", "2m", "5m", "5m", "5m" }
local FATAL = { auth = true, io = true, state = true }
local GIVEN_UP_MAX = 3 -- conversations in a row; then the rest is left for another run

--- The conversations to export: those named, or all that the cloud lists.
-- Returns the list and, where the cloud's list may not be whole, the reason.
local function choose(account, args)
  if args.conversation and #args.conversation > 0 then
    local list = {}
    for i, id in ipairs(args.conversation) do list[i] = account:conversation(id) end
    return list, nil
  end
  local list = {}
  local ok, fault = moontide.try(function()
    for conversation in account:conversations { empty = true } do list[#list + 1] = conversation end
  end)
  if ok then return list, nil end
  if fault.code == "conversations.truncated" then return list, fault.message end
  error(fault, 0)
end

--- One conversation, tried again while the cloud says that it may succeed later. The patience is for all of them
-- together: it counts from the first failure after which nothing succeeded.
local function export_patiently(conversation, archive, options, trouble)
  for attempt = 1, #PAUSES + 1 do
    local ok, result = moontide.try(conversation.export, conversation, archive, options)
    if ok then
      trouble.since, trouble.given_up = nil, 0
      return result
    end
    if not result.retryable then return nil, result end
    local now, pause = moontide.now(), PAUSES[attempt]
    trouble.since = trouble.since or now
    if not pause or now + moontide.duration(pause) - trouble.since > trouble.patience then
      trouble.given_up = trouble.given_up + 1
      return nil, result
    end
    moontide.log.warn(("%s: %s; trying again in %s"):format(conversation.id, result.message, pause))
    moontide.sleep(pause)
  end
end

local function archived(archive, id)
  local state = archive:state(id)
  return state and state.messages or 0
end

local function report(args, totals, failures, unseen)
  if args.json then
    local failed = {}
    for i, item in ipairs(failures) do
      failed[i] = { conversation = item.conversation, code = item.fault.code, message = item.fault.message }
    end
    totals.failed, totals.unseen = moontide.json.array(failed), unseen
    print(moontide.json.encode(totals))
    return
  end
  print(("%d conversations, %d new messages, %d already there, %d edits, %d recalls, %.1f s, %.0f messages/s"):format(
    totals.conversations, totals.added, totals.known, totals.edits, totals.recalls, totals.seconds,
    totals.seconds > 0 and totals.added / totals.seconds or 0))
  if totals.gaps > 0 then print(("%d ranges were left out and are written down as gaps"):format(totals.gaps)) end
  for _, item in ipairs(failures) do print(("not finished: %s: %s"):format(item.conversation, item.fault.message)) end
  if #failures > 0 then print "what is archived is sound; run the same command again to go on" end
  if unseen then print("not seen: " .. unseen) end
  if totals.derived then print("written: " .. totals.derived) end
end

--- Whatever the messages carry: of the conversations that were named, else of the whole archive.
local function fetch_media(args, archive, account, list)
  local ids = nil
  if args.conversation and #args.conversation > 0 then
    ids = {}
    for i, conversation in ipairs(list) do ids[i] = conversation.id end
  end
  return archive:fetch_media {
    account = account, conversations = ids, parallel = args["media-parallel"],
    progress = function(done, found)
      moontide.progress { label = "fetching", done = done, total = found, unit = "attachments" }
    end,
  }
end

local function report_media(media)
  print(("%d attachments: %d fetched (%.1f MB), %d already there, %d missing"):format(
    media.found, media.fetched, media.bytes / 1e6, media.known, media.missing))
  if media.missing > 0 then print "media/missing.jsonl says which the cloud does not give, and why" end
  if media.failed > 0 then
    print(("%d attachments could not be fetched now: %s; run the same command again"):format(
      media.failed, media.failure.message))
  end
end

local function work(args, archive, list)
  local totals = { conversations = #list, added = 0, known = 0, edits = 0, recalls = 0, gaps = 0, pages = 0, bytes = 0 }
  local failures, fatal = {}, nil
  local next_index, finished = 1, 0
  local trouble = { patience = args.patience, since = nil, given_up = 0 }
  local options = {
    since = args.since, ["until"] = args["until"], window = args.window, parallel = args.parallel,
    from = args.from, kinds = args.kind,
  }
  local function worker()
    while not fatal do
      local conversation = list[next_index]
      if not conversation then return end
      next_index = next_index + 1
      local before = archived(archive, conversation.id)
      local result, fault = export_patiently(conversation, archive, options, trouble)
      if result then
        for _, key in ipairs { "added", "known", "edits", "recalls", "gaps", "pages", "bytes" } do
          totals[key] = totals[key] + result[key]
        end
      elseif FATAL[fault.kind] or trouble.given_up >= GIVEN_UP_MAX then
        fatal = fault -- no other conversation can fare better
      else
        failures[#failures + 1] = { conversation = conversation.id, fault = fault }
        totals.added = totals.added + archived(archive, conversation.id) - before
      end
      finished = finished + 1
      moontide.progress {
        label = "exporting", done = finished, total = #list, unit = "conversations",
        extra = ("%d messages"):format(totals.added),
      }
    end
  end
  local tasks = {}
  for i = 1, math.min(args.concurrency, #list) do tasks[i] = moontide.spawn(worker) end
  for _, task in ipairs(tasks) do task:join() end
  return totals, failures, fatal
end

return moontide.script {
  name = "export",
  summary = "Copy an account's conversations into an archive that can be resumed and verified.",
  category = { "reads" },
  args = {
    account = moontide.arg.string { required = true, short = "a", doc = "the account, as the configuration names it" },
    out = moontide.arg.string {
      required = true, short = "o", doc = "the archive's folder; made if absent, added to if there",
    },
    since = moontide.arg.time {
      doc = "only from this time on: RFC 3339, a date, or an age such as 90d; a conversation that the archive has is "
        .. "read on where it ends",
    },
    ["until"] = moontide.arg.time { doc = "only before this time" },
    conversation = moontide.arg.list { doc = "only this conversation, such as single:bob or group:1; repeatable" },
    from = moontide.arg.string { doc = "only messages of this sender" },
    kind = moontide.arg.list { doc = "only messages of this kind; repeatable" },
    window = moontide.arg.duration {
      default = "2d", doc = "read this much of the recent past again, for edits and recalls; 0s reads nothing again",
    },
    patience = moontide.arg.duration {
      default = "20m", doc = "how long to try again when the cloud gives nothing",
    },
    format = moontide.arg.choice {
      "jsonl", "csv", "html", "sqlite", default = "jsonl", doc = "also make this from the archive",
    },
    parallel = moontide.arg.integer {
      default = 32, min = 1, max = 64, doc = "time slices of one long conversation that are read at once",
    },
    concurrency = moontide.arg.integer { default = 16, min = 1, max = 64, doc = "conversations that are read at once" },
    media = moontide.arg.flag { doc = "also fetch attachments; what the cloud does not give is listed" },
    ["media-parallel"] = moontide.arg.integer {
      default = 4, min = 1, max = 32, doc = "attachments that are fetched at once",
    },
    json = moontide.arg.flag { doc = "print the result as one JSON object" },
  },
  grant = { read = true },
  sample = "12 conversations, 20000 new messages, 0 already there, 0 edits, 0 recalls, 0.9 s, 22222 messages/s",
  run = function(job)
    local args = job.args
    local started = moontide.now()
    local account = moontide.account(args.account)
    -- The cloud is asked while the disk makes the archive durable.
    local list, unseen
    local listing = moontide.spawn(function() list, unseen = choose(account, args) end)
    local archive = moontide.archive(args.out, { account = account })
    listing:join()
    local totals, failures, fatal = work(args, archive, list)
    local media
    if args.media and not fatal then
      local ok, result = moontide.try(fetch_media, args, archive, account, list)
      if ok then media = result else fatal = result end
    end
    local whole = not (args.conversation and #args.conversation > 0)
    archive:close { clean = not fatal, unseen = whole and (unseen or "") or nil }
    if fatal then error(fatal, 0) end
    totals.seconds = (moontide.now() - started) / 1000
    if args.format ~= "jsonl" then totals.derived = archive:convert(args.format).path end
    if media then
      totals.media = { found = media.found, known = media.known, fetched = media.fetched, missing = media.missing,
        failed = media.failed, bytes = media.bytes }
    end
    report(args, totals, failures, unseen)
    if media and not args.json then report_media(media) end
    local short = media and media.missing + media.failed > 0
    return (#failures > 0 or unseen or short) and 3 or 0
  end,
}
