-- expect: nil
local moontide = require "moontide"

-- no part hands out what the C half is
for _, name in ipairs { "args", "conversations", "files", "http", "live", "store", "timers" } do
  local part = require("moontide." .. name)
  print(part.core, part.grant, part.live_next, part.upload_raw, part.http_request)
end
