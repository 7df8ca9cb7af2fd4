-- Says what an import of an archive into Easemob would send, request by request, and what cannot be brought back. Sends
-- nothing. What `moontide restore` runs. docs/restore.md says what to do with it.
local moontide = require "moontide"

local DAY = 86400000
local RATE = 100 -- requests a second, one message each (easemob-service.md 2.7)
local MESSAGE_MAX = 5120 -- bytes of body and ext (easemob-service.md 3.2)
local FILES_DAYS = 7 -- what the cloud keeps attachments for (easemob-service.md 2.10)
local TIME_MIN = 1000 -- ms; less is refused (easemob-service.md 2.7)
local CALLS = { single = "users", group = "chatgroups" }

--- JSON with sorted keys: the same archive gives the same plan.
local function encode(value)
  if type(value) ~= "table" or next(value) == nil then return moontide.json.encode(value) end
  local parts = {}
  if value[1] ~= nil then
    for i, item in ipairs(value) do parts[i] = encode(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys)
  for i, key in ipairs(keys) do parts[i] = moontide.json.encode(key) .. ":" .. encode(value[key]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function file_of(body)
  local url = body.remote_path or body.url
  if type(url) ~= "string" then return nil end
  return { url = url, secret = body.secret, filename = body.filename, file_length = body.size_bytes }
end

--- The body of an import by the kind of message; nil: it lacks what the cloud wants.
local BODIES = {
  text = function(line) return type(line.text) == "string" and { msg = line.text } or nil end,
  image = function(line)
    local out = file_of(line.body)
    if out and line.body.width then out.size = { width = line.body.width, height = line.body.height } end
    return out
  end,
  voice = function(line)
    local out = file_of(line.body)
    if out then out.length = line.body.duration_s end
    return out
  end,
  video = function(line)
    local out = file_of(line.body)
    if not out then return nil end
    out.length, out.thumb = line.body.duration_s, line.body.thumbnail_remote_path
    out.thumb_secret = line.body.thumbnail_secret
    return out
  end,
  file = function(line) return file_of(line.body) end,
  location = function(line)
    local body = line.body
    return body.latitude and { lat = body.latitude, lng = body.longitude, addr = body.address or "",
      buildingName = body.building } or nil
  end,
  command = function(line) return line.body.action and { action = line.body.action } or nil end,
  custom = function(line)
    return line.body.event and { customEvent = line.body.event, customExts = line.body.fields } or nil
  end,
}
local TYPES = {
  text = "txt", image = "img", voice = "audio", video = "video", file = "file", location = "loc", command = "cmd",
  custom = "custom",
}
local FILES = { image = true, voice = true, video = true, file = true }

local function is_message(line)
  return type(line) == "table" and line.type == nil and type(line.id) == "string" and math.type(line.time) == "integer"
end

--- What is said of messages by later lines, and which messages stand behind younger ones. Only that is kept in memory.
local function survey(archived, id)
  local known = { edits = {}, recalls = {}, late = {}, gaps = 0 }
  local newest, n = math.mininteger, 0
  for line, text in archived:lines { conversation = id } do
    if is_message(line) then
      n = n + 1
      if line.time < newest then
        known.late[#known.late + 1] = { time = line.time, at = n, text = text }
      else
        newest = line.time
      end
    elseif type(line) == "table" and type(line.target) == "string" then
      -- an announced recall has a sender; without one the message was only found to be gone
      if line.type == "recall" then
        local announced = line.from ~= nil
        known.recalls[line.target] = (announced or known.recalls[line.target] == "recalled") and "recalled" or "gone"
      elseif line.type == "edit" then
        known.edits[line.target] = text
      end
    elseif type(line) == "table" and line.type == "gap" then
      known.gaps = known.gaps + (line.closed and -1 or 1)
    end
  end
  table.sort(known.late, function(a, b)
    if a.time ~= b.time then return a.time < b.time end
    return a.at < b.at
  end)
  return known
end

--- The messages in the order of their times; what came late stands between the others.
local function in_order(archived, id, known)
  local next_line = archived:lines { conversation = id }
  local newest, at, waiting = math.mininteger, 1, nil
  return function()
    while not waiting do
      local line = next_line()
      if line == nil then break end
      if is_message(line) and line.time >= newest then
        newest, waiting = line.time, line
      elseif not is_message(line) and (type(line) ~= "table" or line.type == nil) then
        return false
      end
    end
    local late = known.late[at]
    if late and (not waiting or late.time < waiting.time) then
      at = at + 1
      return moontide.json.decode(late.text)
    end
    local line = waiting
    waiting = nil
    return line
  end
end

local Plan = {}
Plan.__index = Plan

function Plan:leave(why) self.left[why] = (self.left[why] or 0) + 1 end

--- Why the message is not brought back, or nil.
function Plan:refuses(line, known)
  local how = known.recalls[line.id]
  if how == "recalled" and not self.args.recalled then return "recalled" end
  if how == "gone" and not self.args.gone then return "gone" end
  if type(line.kind) ~= "string" or not BODIES[line.kind] then return "kind " .. tostring(line.kind) end
  local named = type(line.from) == "string" and line.from ~= "" and type(line.to) == "string" and line.to ~= ""
  return (not named or line.time < TIME_MIN) and "malformed" or nil
end

--- With the newest content that the archive has.
local function edited(line, known)
  local text = known.edits[line.id]
  local edit = text and moontide.json.decode(text)
  if not edit or not BODIES[edit.kind] then return line, false end
  local ext = type(edit.ext) == "table" and next(edit.ext) ~= nil and edit.ext or line.ext
  return { id = line.id, time = line.time, from = line.from, to = line.to, kind = edit.kind, text = edit.text,
    body = edit.body, ext = ext }, true
end

function Plan:add(line, known, call, target)
  local why = self:refuses(line, known)
  if why then return self:leave(why) end
  local was_edited
  line, was_edited = edited(line, known)
  line.body = type(line.body) == "table" and line.body or {}
  local body = BODIES[line.kind](line)
  if not body then return self:leave "malformed" end
  local ext = type(line.ext) == "table" and next(line.ext) ~= nil and line.ext or nil
  if #encode(body) + (ext and #encode(ext) or 0) > MESSAGE_MAX then return self:leave "too large" end
  local time = math.max(line.time, self.last + 1) -- each must be later than the one before
  if time > line.time then self.shifted = self.shifted + 1 end
  self.last = time
  self.requests = self.requests + 1
  if was_edited then self.edited = self.edited + 1 end
  if line.time < self.oldest then self.old = self.old + 1 end
  if FILES[line.kind] then
    self.files = self.files + 1
    if line.time < self.files_oldest or self.foreign then self.files_doubtful = self.files_doubtful + 1 end
  end
  if not self.args.plan then return end
  self.emit(encode { method = "POST", path = ("%s/messages/%s/import"):format(self.base, call), body = {
    from = line.from, target = target or line.to, type = TYPES[line.kind], body = body, ext = ext, msg_timestamp = time,
    need_download = FILES[line.kind] and self.foreign or nil,
  } })
end

function Plan:conversation(archived, state)
  local kind, id = state.id:match "^(%a+):(.+)$"
  if not CALLS[kind] then
    self.left["conversation " .. tostring(kind)] = (self.left["conversation " .. tostring(kind)] or 0) + state.messages
    return
  end
  local args = self.args
  local known = survey(archived, state.id)
  local before = self.requests
  self.last, self.gaps = 0, self.gaps + math.max(known.gaps, 0)
  for line in in_order(archived, state.id, known) do
    if not line then
      self:leave "malformed"
    elseif line.time >= (args.since or math.mininteger) and line.time < (args["until"] or math.maxinteger) then
      self:add(line, known, CALLS[kind], kind == "group" and id or nil)
    end
  end
  if self.requests > before then self.conversations = self.conversations + 1 end
end

local WHY = {
  recalled = "were recalled (--recalled brings them back)",
  gone = "were found to be gone from the cloud, recalled or deleted there (--gone brings them back)",
  malformed = "lack what an import needs",
  ["too large"] = ("are larger than %d bytes"):format(MESSAGE_MAX),
}

local function summary(plan, say)
  local seconds = plan.requests / RATE
  local lasts = seconds < 120 and ("%.0f s"):format(math.ceil(seconds)) or ("%.0f min"):format(seconds / 60)
  say(("%d messages of %d conversations: %d requests, %s at %d a second"):format(plan.requests, plan.conversations,
    plan.requests, lasts, RATE))
  local reasons = {}
  for why in pairs(plan.left) do reasons[#reasons + 1] = why end
  table.sort(reasons)
  for _, why in ipairs(reasons) do
    say(("left out: %d %s"):format(plan.left[why], WHY[why] or ("are of the %s, which has no import"):format(why)))
  end
  if plan.edited > 0 then say(("%d were edited: their newest content is restored"):format(plan.edited)) end
  if plan.shifted > 0 then
    say(("%d get a time later by milliseconds, because times must ascend"):format(plan.shifted))
  end
  if plan.files_doubtful > 0 then
    say(("%d of %d attachments: the cloud may not have their files any more"):format(
      plan.files_doubtful, plan.files))
  end
  if plan.old > 0 then
    say(("%d are older than %d days: the cloud keeps 3, 7 or 90 days by plan, and may not show them"):format(
      plan.old, plan.days))
  end
  if plan.gaps > 0 then say(("%d ranges are missing in the archive itself"):format(plan.gaps)) end
  say "imported messages have new ids, and both sides of a single chat get them: who has the old ones has them twice"
end

local function base_of(archived, args)
  local appkey = args.appkey or archived.appkey
  if archived.provider ~= "easemob" and not args.appkey then
    error(("this is an archive of %s, whose server API has no import: unsupported. With --appkey ORG#APP it is planned "
      .. "for an Easemob app"):format(archived.provider), 0)
  end
  local org, app = appkey:match "^([^#/%s]+)#([^#/%s]+)$"
  if not org then error(("'%s' is no app key of Easemob: ORG#APP"):format(appkey), 0) end
  return ("/%s/%s"):format(org, app)
end

local function chosen(archived, wanted)
  local all, list = archived:conversations(), {}
  if not wanted or #wanted == 0 then return all end
  local known = {}
  for _, state in ipairs(all) do known[state.id] = state end
  for i, id in ipairs(wanted) do
    list[i] = known[id] or error(("the archive has no conversation '%s'"):format(id), 0)
  end
  return list
end

return moontide.script {
  name = "restore",
  summary = "Plan the import of an archive into Easemob: the requests, and what cannot be restored. Sends nothing.",
  category = { "reads" },
  args = {
    archive = moontide.arg.string { required = true, doc = "the archive's folder" },
    plan = moontide.arg.flag {
      doc = "print the requests, one JSON object a line, in the order in which they must be sent",
    },
    output = moontide.arg.string {
      short = "o", doc = "with --plan: write the requests into this file, which is there when all of them are",
    },
    force = moontide.arg.flag { doc = "with --output: replace a file that is there" },
    conversation = moontide.arg.list { doc = "only this conversation, such as single:bob or group:1; repeatable" },
    since = moontide.arg.time { doc = "only messages from this time on: RFC 3339, a date, or an age such as 90d" },
    ["until"] = moontide.arg.time { doc = "only messages before this time" },
    recalled = moontide.arg.flag { doc = "also messages that were recalled" },
    gone = moontide.arg.flag { doc = "also messages that an export found to be gone from the cloud" },
    appkey = moontide.arg.string { doc = "the Easemob app to import into; default: that of the archive" },
    retention = moontide.arg.duration {
      default = "90d", doc = "how long the app keeps history: older messages are counted",
    },
  },
  grant = { read = true, files = true },
  sample = "20000 messages of 12 conversations: 20000 requests, 3 min at 100 a second",
  run = function(job)
    local args = job.args
    if args.output and not args.plan then
      error("restore --output FILE needs --plan: without it no requests are made", 0)
    end
    local archived = moontide.read_archive(args.archive)
    local base = base_of(archived, args)
    local list = chosen(archived, args.conversation)
    local report = moontide.verify(args.archive)
    if report.verdict == "damaged" then
      moontide.log.error(("%s is damaged: %s"):format(args.archive, report.problems[1] or "run moontide verify"))
      return 4
    end
    local now = moontide.now()
    local plan = setmetatable({
      args = args, base = base, left = {}, requests = 0, conversations = 0, shifted = 0, edited = 0, files = 0,
      files_doubtful = 0, old = 0, gaps = 0, last = 0, foreign = archived.provider ~= "easemob",
      emit = function() end, oldest = now - args.retention, days = args.retention // DAY,
      files_oldest = now - FILES_DAYS * DAY,
    }, Plan)
    local file = args.output and moontide.new_file(args.output, { replace = args.force })
    if args.plan then plan.emit = file and function(line) file:write(line .. "\n") end or print end
    for _, state in ipairs(list) do plan:conversation(archived, state) end
    if file then file:close() end
    summary(plan, args.plan and not file and moontide.log.warn or print)
    return (next(plan.left) or plan.gaps > 0) and 3 or 0
  end,
}
