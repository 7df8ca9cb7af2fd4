-- Does whatever a script can with an account, and prints everything that it is told when it goes wrong.
local moontide = require "moontide"
local account = moontide.account()

local function show(value, depth)
  if type(value) ~= "table" then return tostring(value) end
  local out = {}
  for k, v in pairs(value) do out[#out + 1] = tostring(k) .. "=" .. (depth > 3 and "…" or show(v, depth + 1)) end
  return "{" .. table.concat(out, " ") .. "} " .. tostring(value)
end

local function try(name, f, ...)
  local ok, fault = moontide.try(f, ...)
  print(name, ok, show(fault, 0))
  if ok then return fault end
  moontide.log.error(name .. ": " .. show(fault, 0))
  print(pcall(moontide.json.encode, { message = fault.message, code = fault.code }))
  return nil
end

print(show(account, 0), show(getmetatable(account) or "none", 0))
for _, key in ipairs { "name", "user", "appkey", "token", "password", "secret", "provider", "config" } do
  print(key, show(select(2, pcall(function() return account[key] end)), 0))
end
local conversation = account:conversation "bob"
try("list", function() print((account:conversations()())) end)
try("history", function() for m in conversation:history { limit = 3 } do print(m:json { raw = true }) end end)
try("send", conversation.send, conversation, "hello")
try("mark_read", conversation.mark_read, conversation)
try("pin", conversation.pin, conversation)
try("delete", conversation.delete_messages, conversation, { ids = { "1200000000000000001" } })
try("send a file", conversation.send_file, conversation, { path = "small.bin" })
try("can", account.can, account, "history")
local done = false
for _, name in ipairs { "connected", "disconnected", "kicked", "error", "token_expiring", "message", "gap" } do
  account:on(name, function(event)
    print("event", name, show(event, 0), event.fault and show(event.fault, 0))
    if name ~= "disconnected" and not done then
      done = true
      account:off()
    end
  end)
end
local other = (...)
if other then
  for _, verb in ipairs { "get", "post" } do
    local ok, fault = moontide.try(moontide.http[verb], other, verb == "get" and { bearer = "c4nary-bearer/tok+en" }
      or { body = "x", bearer = "c4nary-bearer/tok+en" })
    if not ok then print("http", show(fault, 0)) end
  end
end
moontide.spawn(function()
  moontide.sleep "3s"
  account:off()
end)
