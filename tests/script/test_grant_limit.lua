-- run: --grant read,send,delete:3 --apply
-- A number of messages a run.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function code(f, ...) local ok, fault = moontide.try(f, ...) return not ok and fault.code end

local conversation = moontide.account("guest"):conversation "single:stranger"
local ids = {}
for i = 1, 4 do ids[i] = conversation:send("n" .. i).id end
check("four are too many", code(conversation.delete_messages, conversation, { ids = ids }) == "grant.max_per_run")
conversation:delete_messages { ids = { ids[1], ids[2] } }
check("two are not, but two more are",
  code(conversation.delete_messages, conversation, { ids = { ids[3], ids[4] } }) == "grant.max_per_run")
conversation:delete_messages { ids = { ids[3] } }
local left = conversation:history_page {}.messages
check("the fourth is left", #left == 1 and left[1].id == ids[4])
