-- An archive that is read: whose it is, its conversations, and their lines one by one.
local core = ...
local archived = {}
local Archived = {}
Archived.__index = Archived
Archived.__name = "moontide.archived"

--- moontide.read_archive(dir)
function archived.open(dir)
  local handle = core.archived_open(dir)
  local provider, appkey, user = core.archived_account(handle)
  return setmetatable({ handle = handle, provider = provider, appkey = appkey, user = user }, Archived)
end

--- archived:conversations(): what there is of each, in the order in which the archive had it first.
function Archived:conversations() return core.archived_conversations(self.handle) end

--- archived:lines { conversation, since, until }: each line as a table, and as its text in the archive. What
-- is no message is always given: its time is not that of what it concerns.
function Archived:lines(options)
  core.check_options("archived:lines", options)
  local since = options.since and core.time(options.since)
  local until_ms = options["until"] and core.time(options["until"])
  local cursor = core.archived_cursor(self.handle, options.conversation)
  local piece, at = "", 1
  return function()
    while true do
      if at > #piece then
        piece, at = core.archived_next(cursor), 1
        if not piece then return nil end
      end
      local stop = piece:find("\n", at, true) or #piece + 1
      local text = piece:sub(at, stop - 1)
      at = stop + 1
      local ok, line = pcall(core.json.decode, text)
      if not ok then
        core.raise("damaged", "archive.damaged", ("a line of %s is no JSON: run moontide verify"):format(
          options.conversation))
      end
      local time = type(line) == "table" and not line.type and line.time or nil
      local within = not time or ((not since or time >= since) and (not until_ms or time < until_ms))
      if within then return line, text end
    end
  end
end

return archived
