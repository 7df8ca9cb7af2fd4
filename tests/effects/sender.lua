-- Sends numbered lines to the guest, four at a time, and none of them twice: a number is taken, durably, before its
-- line goes. A line that was in hand when the process died stays in doubt, as the audit says, and is never sent again.
local moontide = require "moontide"
local n, tag = tonumber((...)), select(2, ...)
local store = moontide.store
local chat = moontide.account "it":conversation "guest"
local function worker()
  while (store.next or 1) <= n do
    local number = store.next or 1
    store.next = number + 1
    store:flush()
    local sent, answer = pcall(chat.send, chat, ("%s %d"):format(tag, number))
    print(sent and "sent" or "not", number, sent and answer.id or answer.code)
  end
end
for _ = 1, 4 do moontide.spawn(worker) end
