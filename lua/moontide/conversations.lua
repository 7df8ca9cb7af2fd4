-- Of conversations, what can be said with what is there: one by itself, and drafts.
local core = ...
local store = require "moontide.store"
local conversations = {}
local DRAFT_MAX = 65536

--- conversation:fetch(): as the cloud's list says it is now.
function conversations.fetch(conversation)
  for one in core.live_account(conversation):conversations { only = { conversation.id } } do
    if one.id == conversation.id then return one end
  end
  return nil
end

--- Of this user in this app: the name of the account may change.
local function draft_key(conversation)
  local account = core.live_account(conversation)
  return ("draft of %s %s %s in %s"):format(account.provider, account.appkey, account.user, conversation.id)
end

--- conversation:draft(): what was set last, or nil.
function conversations.draft(conversation) return store.table[draft_key(conversation)] end

--- conversation:set_draft(text or nil).
function conversations.set_draft(conversation, text)
  if text ~= nil and (type(text) ~= "string" or #text > DRAFT_MAX) then
    core.usage("draft.text", ("a draft is a text of at most %d bytes, or nil"):format(DRAFT_MAX))
  end
  store.table[draft_key(conversation)] = text ~= "" and text or nil
end

return conversations
