-- Attachments: what one account uploads and sends, the other fetches. run.sh made the files, and compares them.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function code(f, ...)
  local ok, fault = moontide.try(f, ...)
  return not ok and fault.code, not ok and fault
end

local _, cloud = ...
local owner, guest = moontide.account "it", moontide.account "guest"
local chat = guest:conversation(owner.user)
check("attachments can be moved", owner:can "attachments")

local heard = {}
owner:on("message", function(message)
  heard[#heard + 1] = message
  if message.kind == "command" and message.body.action == "the end" then owner:off() end
end)

local steps, last, total = 0, 0, nil
local function progress(done, of)
  if done < last then steps = -1e9 end
  steps, last, total = steps + 1, done, of
end
chat:send_image { path = "small.png", width = 3, height = 4, thumbnail_width = 90, ext = { n = 1 } }
chat:send_voice { path = "small.png", duration = "7s", filename = "v.amr" }
chat:send_video { path = "small.png", duration = "9s", thumbnail = "small.png", filename = "../../v.mp4" }
chat:send_file { path = "big.bin", progress = progress }
check("a large upload tells of its progress", steps > 10 and last == 9000000 and total == 9000000)
chat:send_file "small.png"
chat:send_image { url = "https://example.com/far/p.png", width = 5, height = 6 }
chat:send { kind = "image", body = { url = "https://example.com/far/q.png" } }
chat:send_location { latitude = 39.5, longitude = 116.25, address = "here" }
chat:send_custom { event = "gift", fields = { name = "rose" } }
local some = {}
for message in chat:history { order = "oldest" } do some[#some + 1] = message end
chat:send_combine { messages = some, title = "T", text = "old" }
local body = chat:upload { path = "small.png", filename = "mine.png" }
check("conversation:upload gives what send wants",
  body.remote_path and (cloud ~= "easemob" or #body.secret > 8) and body.filename == "mine.png" and body.size_bytes == 70)
chat:send { kind = "file", body = body }
chat:send_command "the end"
while not (heard[#heard] and heard[#heard].body.action == "the end") do moontide.sleep "5ms" end
local kinds = {}
for i, message in ipairs(heard) do kinds[i] = message.kind end
check("all of them came, in order",
  table.concat(kinds, ",") == "image,voice,video,file,file,image,image,location,custom,combine,file,command")
check("with what was said of them", heard[1].body.width == 3 and heard[1].ext.n == 1 and heard[1].body.filename == "small.png"
  and heard[2].body.duration_s == 7 and heard[2].body.filename == "v.amr" and heard[3].body.duration_s == 9
  and (heard[3].body.thumbnail_secret or heard[3].body.thumbnail_base64) and heard[4].body.size_bytes == 9000000
  and (cloud ~= "easemob" or heard[10].body.level == 1))
check("an image from an address is sent as it is",
  heard[6].body.remote_path == "https://example.com/far/p.png" and not heard[6].body.secret
  and heard[7].body.remote_path == "https://example.com/far/q.png")

steps, last = 0, 0
local got = heard[4]:download { path = "big.out", progress = progress }
check("message:download says what it has", got.path == "big.out" and got.size == 9000000 and #got.sha256 == 64)
check("and tells of its progress", steps > 10 and last == 9000000)
check("a folder takes the name, made safe", heard[3]:download("./").path == "./v.mp4")
heard[3]:download { path = "still.out", thumbnail = true }
check("the combined file can be fetched", heard[10]:download("combine.out").size > 100)
check("what is there is not overwritten", code(heard[1].download, heard[1], "small.png") == "file.exists")
check("an address elsewhere is not asked", code(heard[6].download, heard[6], "far.out") == "download.foreign")
check("a text has no attachment", code(heard[8].download, heard[8], "no.out") == "download.none")
check("a folder that is not there", code(heard[1].download, heard[1], "nowhere/x") == "fs.enoent")
check("max_size is kept", code(heard[4].download, heard[4], { path = "cut.out", max_size = 1000 }) == "download.too_large")

check("a file that is not there", code(chat.send_file, chat, "none.bin") == "file.missing")
check("a folder is no file", code(chat.send_file, chat, ".") == "file.kind")
check("an empty file", code(chat.send_file, chat, "empty.bin") == "file.empty")
if cloud == "easemob" then
  local too_large, fault = code(chat.send_file, chat, "huge.bin")
  check("a file over the app's limit", too_large == "upload.too_large" and fault.provider_code == 101)
else
  print "skip a file over the app's limit: the storages of this cloud know none below 5 GB"
end
check("neither path nor url", code(chat.send_image, chat, { width = 1 }) == "send.field")
check("both path and url", code(chat.send_image, chat, { path = "small.png", url = "https://x.y/z" }) == "send.field")
check("an address that is none", code(chat.send_image, chat, { url = "javascript:1" }) == "send.url")
check("an unknown option names the nearest",
  select(2, code(chat.send_image, chat, { path = "x", widht = 1 })).message:find "width")
check("progress is a function", code(chat.send_file, chat, { path = "small.png", progress = 1 }) == "option.type")
check("nothing to combine", code(chat.send_combine, chat, { messages = {} }) == "combine.too_many")
check("messages are needed", code(chat.send_combine, chat, { title = "T" }) == "option.missing")
check("a path is needed",
  code(heard[1].download, heard[1]) == "option.missing" and code(chat.upload, chat, {}) == "option.missing")
local many = {}
for i = 1, 301 do many[i] = heard[1] end
check("more than 300 are not combined", code(chat.send_combine, chat, { messages = many }) == "combine.too_many")
check("a failure in progress is the caller's", code(heard[4].download, heard[4],
  { path = "cut.out", progress = function() error "enough" end }) ~= nil)

local archive = moontide.archive("media", { account = owner })
owner:conversation(guest.user):export(archive)
local seen = 0
local result = archive:fetch_media { account = owner, parallel = 2, progress = function(done) seen = done end }
check("archive:fetch_media fetches what messages carry", result.fetched == 7 and result.missing == 2 and result.found == 9
  and result.failed == 0 and result.bytes > 9000000 and seen == 9)
result = archive:fetch_media { account = owner, conversations = { "single:nobody" } }
check("only of the conversations that are named", result.found == 0)
result = archive:fetch_media { account = owner }
check("and does not fetch twice", result.fetched == 0 and result.known == 7)
check("an account is needed", code(archive.fetch_media, archive, {}) == "option.missing")
archive:close()
check("a closed archive fetches nothing", code(archive.fetch_media, archive, { account = owner }) == "archive.closed")
check("verify counts attachments", moontide.verify("media").missing == 2)

-- files of a script's own: whole, or not there
local function taken(path)
  local ok, fault = moontide.try(moontide.new_file, path)
  return not ok and fault.code
end
local own = moontide.new_file "own.txt"
own:write "one\n":write(("x"):rep(600000)):write "\n"
check("a new file is not there before it is whole", not taken "own.txt")
own:close()
check("then it is", taken "own.txt" == "file.exists")
check("and is not closed twice", select(2, moontide.try(own.close, own)).code == "file.closed")
check("nor written to", select(2, moontide.try(own.write, own, "x")).code == "file.closed")
check("it is replaced when that is asked for",
  moontide.try(function() moontide.new_file("own.txt", { replace = true }):write "two":close() end))
check("a folder is no file", select(2, moontide.try(moontide.new_file, "own/")).code == "file.path")
check("nor is the configuration",
  select(2, moontide.try(moontide.new_file, "moontide.lua", { replace = true })).code == "file.private")
do
  local dropped = moontide.new_file "dropped.txt"
  dropped:write "half"
end
