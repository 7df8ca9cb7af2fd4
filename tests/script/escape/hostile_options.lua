-- expect: went on
local moontide = require "moontide"

local bad = setmetatable({}, { __index = function() error "no" end, __len = function() return 1 << 60 end,
  __pairs = function() error "no" end, __eq = function() error "no" end, __concat = function() error "no" end })
local a = moontide.account "it"
local c = a:conversation "bob"
for _, f in ipairs { c.history, c.history_page, c.export, c.send, c.delete_messages, c.send_image, c.upload, c.ask,
  a.conversations, a.conversation, a.on, moontide.progress, moontide.json.encode, moontide.every, moontide.cron,
  moontide.archive, moontide.verify, moontide.http.request, moontide.spawn, moontide.sleep, moontide.duration } do
  moontide.try(f, c, bad)
  moontide.try(f, a, bad)
  moontide.try(f, bad, bad, bad)
end
error "went on"
