-- An archive is read back: whose it is, its conversations, their lines.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end

local account = moontide.account "it"
local archive = moontide.archive("to-read", { account = account })
local longest
for conversation in account:conversations() do
  conversation:export(archive)
  local state = archive:state(conversation.id)
  if state and (not longest or state.messages > longest.messages) then
    longest = { id = conversation.id, messages = state.messages }
  end
end

local archived = moontide.read_archive "to-read" -- while it is being written
check("moontide.read_archive says whose it is",
  archived.provider == account.provider and archived.appkey == account.appkey and archived.user == account.user)
archive:close()

local all, n = archived:conversations(), 0
for _, state in ipairs(all) do if state.id == longest.id then n = state.messages end end
check("archived:conversations says what there is of each", #all > 10 and n == longest.messages)

local function read(options)
  options.conversation = longest.id
  local ids, first, last, same = {}, nil, nil, true
  for line, text in moontide.read_archive("to-read"):lines(options) do
    ids[#ids + 1] = line.id
    first, last = first or line.time, line.time
    same = same and line.conversation == longest.id and moontide.json.decode(text).id == line.id and not text:find "\n"
  end
  return ids, first, last, same
end
local ids, first, last, same = read {}
check("archived:lines gives every line, with its text", #ids == longest.messages and same)
local history = {}
for message in account:conversation(longest.id):history { order = "oldest" } do history[#history + 1] = message.id end
check("in the order of the messages", table.concat(history, " ") == table.concat(ids, " "))
local middle = first + (last - first) // 2
local before, _, _, good = read { ["until"] = middle }
local after = read { since = middle }
check("archived:lines takes since and until",
  #before > 0 and #after > 0 and #before + #after == #ids and good and before[1] == ids[1])
local none = true
for _ in archived:lines { conversation = "single:nobody-at-all" } do none = false end
check("of a conversation that it has not there is no line", none)

local function code(f, ...)
  local ok, fault = moontide.try(f, ...)
  return not ok and fault.code
end
check("what is no archive is a fault", code(moontide.read_archive, "nowhere") == "archive.none")
check("an unknown option names the nearest", code(archived.lines, archived, { conversation = "x", sinc = 1 }) == "option.unknown")
check("and the conversation is needed", code(archived.lines, archived, {}) ~= false)
