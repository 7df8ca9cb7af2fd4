-- Lists conversations with unread messages, and resets them. What `moontide unread` runs. The cloud's answer to a reset
-- says nothing of the count: the list is read again, and what did not go to zero is reported.
local moontide = require "moontide"

local TRIES, PAUSE = 5, "200ms" -- the cloud may be a moment behind

local function chosen(args)
  if not args.conversation or #args.conversation == 0 then return function() return true end end
  local wanted = {}
  for _, id in ipairs(args.conversation) do wanted[id:find(":", 1, true) and id or "single:" .. id] = true end
  return function(conversation) return wanted[conversation.id] end
end

--- Unread counts by conversation, and why the list may not be whole.
local function read(account, wants)
  local counts, order, cut = {}, {}, nil
  local ok, fault = moontide.try(function()
    for conversation in account:conversations() do
      if wants(conversation) and (conversation.unread or 0) > 0 then
        counts[conversation.id] = conversation.unread
        order[#order + 1] = conversation
      end
    end
  end)
  if not ok and fault.code ~= "conversations.truncated" then error(fault, 0) end
  if not ok then cut = fault.message end
  return counts, order, cut
end

local function reset(account, order, wants)
  local failed, left = {}, {}
  for _, conversation in ipairs(order) do
    local ok, fault = moontide.try(conversation.mark_read, conversation)
    if not ok then failed[conversation.id] = fault end
  end
  for try = 1, TRIES do
    left = read(account, wants)
    for _, conversation in ipairs(order) do
      if left[conversation.id] and not failed[conversation.id] and try < TRIES then
        moontide.sleep(PAUSE)
        break
      end
    end
    if not next(left) then break end
  end
  return failed, left
end

return moontide.script {
  name = "unread",
  summary = "List conversations with unread messages, or reset them.",
  category = { "reads", "marks" },
  args = {
    account = moontide.arg.string { required = true, short = "a", doc = "the account, as the configuration names it" },
    reset = moontide.arg.flag {
      doc = "set to zero, here and on the user's other devices; peers of single chats are told",
    },
    conversation = moontide.arg.list { doc = "only this conversation, such as single:bob or group:1; repeatable" },
    json = moontide.arg.flag { doc = "one JSON object a line" },
  },
  grant = { read = true, mark_read = true },
  sample = "single:bob 3",
  run = function(job)
    local args = job.args
    local account = moontide.account(args.account)
    local wants = chosen(args)
    local counts, order, cut = read(account, wants)
    local failed, left = {}, nil
    if args.reset then failed, left = reset(account, order, wants) end
    local status = cut and 3 or 0
    for _, conversation in ipairs(order) do
      local id = conversation.id
      local now = left and (left[id] or 0) or counts[id]
      if args.reset and now > 0 then status = 3 end
      if args.json then
        print(moontide.json.encode {
          conversation = id, unread = counts[id], now = now, fault = failed[id] and failed[id].code or nil,
        })
      elseif not args.reset then
        print(("%s %d"):format(id, counts[id]))
      else
        print(("%s %d -> %d%s"):format(id, counts[id], now,
          failed[id] and ": " .. failed[id].message or now > 0 and ": did not go to zero, or new ones came" or ""))
      end
    end
    if #order == 0 and not args.json then print "nothing is unread" end
    if cut then moontide.log.warn("not seen: " .. cut) end
    return status
  end,
}
