-- run: --grant read,send,files:out/
-- Files in one folder alone. run.sh made out/ with small.png, a link out/up to the folder above, and out/far to /.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function code(f, ...) local ok, fault = moontide.try(f, ...) return not ok and fault.code end

local account = moontide.account "guest"
local chat = account:conversation "single:filepeer"
for _, path in ipairs { "small.png", "./small.png", "out/../small.png", "out/up/small.png", "out/far/etc/passwd", "/etc/passwd",
  "outer/small.png", "out/./up/./small.png", "out/sub/../../small.png", "out" .. ("/up/out"):rep(30) .. "/../small.png", "" } do
  local got = code(chat.upload, chat, path)
  check(("'%s' is not read"):format(path:sub(1, 40)), got == "grant.denied")
end
check("a file of the folder is", chat:send_image { path = "out/small.png" }.id ~= nil
  and chat:upload(".//out/small.png").size_bytes == 70)
local message
for m in chat:history { limit = 1 } do message = m end
for _, path in ipairs { "got.png", "out/../got.png", "out/up/got.png", "out/far/tmp/got.png", "./" } do
  check(("'%s' is not written"):format(path), code(message.download, message, path) == "grant.denied")
end
check("a file of the folder is written", message:download("out/got.png").size == 70)
check("an archive lies there too, or nowhere", code(moontide.archive, "desk", { account = account }) == "grant.denied"
  and code(moontide.archive, "out/new/../../desk", { account = account }) == "grant.denied"
  and code(moontide.verify, "out/up") == "grant.denied")
moontide.archive("out/deep/desk", { account = account }):close()
check("and is verified there", moontide.verify("out/deep/desk").problems ~= nil)
