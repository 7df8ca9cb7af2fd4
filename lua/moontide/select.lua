-- The messages that a policy means: of one conversation, or of all of an account.
local core = ...
local select = {}

--- The ids of all pinned conversations. A list that does not say it is a fault: nobody may take it for "not pinned".
function select.pinned_of(account)
  local pinned = {}
  for conversation in account:conversations { pinned = true } do pinned[conversation.id] = true end
  return pinned
end

--- conversation:select(policy, { order, limit, now, page }).
function select.of_conversation(conversation, policy, options)
  local concerns, asks = core.policy_about(policy, conversation)
  local pinned = concerns and asks and select.pinned_of(core.live_account(conversation))[conversation.id]
  return core.select(conversation, policy, options, pinned)
end

--- The conversations to read, and the fault with which the cloud's list ended too early. All are listed before the
--- first is read: one that gets a message meanwhile moves in the list, and would be missed.
local function listed(account, ids)
  local list, known, stop = {}, {}, nil
  local function add(conversation)
    if not known[conversation.id] then list[#list + 1], known[conversation.id] = conversation, true end
  end
  if ids then
    for _, id in ipairs(ids) do add(account:conversation(id)) end
    return list
  end
  local ok, fault = pcall(function()
    for conversation in account:conversations() do add(account:conversation(conversation.id)) end
  end)
  if not ok then
    if type(fault) ~= "table" or fault.code ~= "conversations.truncated" then error(fault, 0) end
    stop = fault
  end
  return list, stop
end

--- account:select(policy, { conversations, order, limit, now, page }).
function select.of_account(account, policy, options)
  local _, asks = core.policy_about(policy)
  core.check_options("account:select", options)
  options = options or {}
  local left = options.limit or math.huge
  local inner = { order = options.order, page = options.page, now = options.now or core.now() }
  local list, stop = listed(account, options.conversations)
  local pinned = asks and select.pinned_of(account) or {}
  local at, following, closing = 0, nil, nil
  local function close()
    if closing then core.close_history(closing) end
    following, closing = nil, nil
  end
  local function next_message()
    while left > 0 do
      local message = following and following()
      if message then
        left = left - 1
        return message
      end
      close()
      at = at + 1
      if not list[at] then break end
      local _
      following, _, _, closing = core.select(list[at], policy, inner, pinned[list[at].id])
    end
    local fault = left > 0 and stop
    left = 0
    if fault then error(fault, 0) end
    return nil
  end
  return next_message, nil, nil, setmetatable({}, { __close = function() left = 0 close() end })
end

return select
