-- Attachments and the other kinds that are more than a text: thin conveniences over conversation:send.
local core = ...
local files = {}

-- options of send_… that are conversation:send's own
local SENDING = { "ext", "only", "device", "online_only", "receipts", "priority" }

local function usage(code, fmt, ...) core.usage(code, fmt:format(...)) end

--- The options as a table that may be changed; a string stands for the one that matters most.
local function options_of(name, given, main)
  if type(given) ~= "table" then given = { [main] = given } end
  core.options(name, given)
  local copy = {}
  for key, value in pairs(given) do copy[key] = value end
  return copy
end

--- Waits for a transfer, and tells of it. If the telling fails, the transfer ends.
local function finish(started, progress)
  local transfer <close> = started
  while true do
    local ended, result, total = core.transfer_next(transfer)
    if ended then return result end
    if progress then progress(result, total) end
  end
end

--- Uploads a file (or data) for the conversation.
local function upload(conversation, options, data)
  local progress = options.progress
  local attachment = finish(core.upload(conversation, options, data, progress ~= nil), progress)
  if progress then progress(attachment.size_bytes, attachment.size_bytes) end
  return attachment
end

function files.upload(conversation, given)
  local options = options_of("conversation:upload", given, "path")
  return upload(conversation, options)
end

local function send(conversation, kind, options, body, text)
  local message = { kind = kind, body = body, text = text }
  for _, key in ipairs(SENDING) do message[key] = options[key] end
  return conversation:send(message)
end

--- What options.path or options.url name, as the body of a message.
local function attach(conversation, name, options)
  if (options.path == nil) == (options.url == nil) then
    usage("send.field", "%s needs path, a file to upload, or url, an address that is sent as it is", name)
  end
  if options.path then return upload(conversation, options) end
  if not options.url:find "^https?://[^%s]+$" then usage("send.url", "%s: url is not an http address", name) end
  return { remote_path = options.url, filename = options.filename, size_bytes = options.size }
end

local function sender(kind, name, fill)
  return function(conversation, given)
    local options = options_of(name, given, "path")
    local body = attach(conversation, name, options)
    if fill then fill(body, options, conversation) end
    return send(conversation, kind, options, body)
  end
end

files.send_file = sender("file", "conversation:send_file")
files.send_image = sender("image", "conversation:send_image", function(body, options)
  body.width, body.height, body.gif = options.width, options.height, options.gif
end)
files.send_voice = sender("voice", "conversation:send_voice", function(body, options)
  body.duration_s = options.duration and core.duration(options.duration) // 1000
end)
files.send_video = sender("video", "conversation:send_video", function(body, options, conversation)
  body.width, body.height = options.width, options.height
  body.duration_s = options.duration and core.duration(options.duration) // 1000
  if not options.thumbnail then return end
  local still = upload(conversation, { path = options.thumbnail })
  body.thumbnail_remote_path, body.thumbnail_secret = still.remote_path, still.secret
  body.thumbnail_base64 = still.thumbnail_base64 -- where the message itself holds it
end)

function files.send_location(conversation, given)
  local options = options_of("conversation:send_location", given, "address")
  return send(conversation, "location", options, {
    latitude = options.latitude, longitude = options.longitude, address = options.address, building = options.building,
  })
end

function files.send_command(conversation, given)
  local options = options_of("conversation:send_command", given, "action")
  return send(conversation, "command", options, { action = options.action })
end

function files.send_custom(conversation, given)
  local options = options_of("conversation:send_custom", given, "event")
  return send(conversation, "custom", options, { event = options.event, fields = options.fields })
end

--- Several messages as one.
function files.send_combine(conversation, given)
  local options = options_of("conversation:send_combine", given, "messages")
  local data, level = core.combine(conversation, options.messages)
  local body = upload(conversation, { filename = "combine", progress = options.progress }, data)
  body.title, body.summary, body.level = options.title, options.summary, level
  return send(conversation, "combine", options, body, options.text or "")
end

--- A name that a stranger chose, as a name in a folder.
local function safe_name(message)
  local name = (message.body.filename or ""):match "[^/\\]*$":gsub("%c", "_"):gsub("^%.+", "_")
  if #name > 150 then name = name:sub(-150):gsub("^[\128-\191]+", "") end
  return name ~= "" and name or message.id
end

function files.download(message, given)
  local options = options_of("message:download", given, "path")
  if options.path:sub(-1) == "/" then options.path = options.path .. safe_name(message) end
  local result = finish(core.download(message, options, options.progress ~= nil), options.progress)
  if options.progress then options.progress(result.size, result.size) end
  return result
end

--- What the archive's messages carry and it does not have yet.
function files.fetch_media(archive, given)
  local options = options_of("archive:fetch_media", given, "account")
  return finish(core.media(archive, options.account, options), options.progress)
end

return files
