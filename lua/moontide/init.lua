-- The module: what C offers, in the names that scripts use.
local core = ...
local moontide = {
  account = core.account, accounts = core.accounts, archive = core.archive, verify = core.verify,
  new_file = core.new_file,
  spawn = core.spawn, sleep = core.sleep, now = core.now, ago = core.ago,
  duration = core.duration, time = core.time, progress = core.progress, json = core.json,
  policy = core.policy,
}

local plain = require "moontide.plain"
moontide.log, moontide.try = plain.log, plain.try

local store = require "moontide.store"
moontide.store = store.table
moontide.http = require "moontide.http"
local timers = require "moontide.timers"
moontide.every = timers.every
moontide.cron = timers.cron
local live = require "moontide.live"
core.extend("account", { on = live.on, off = live.off })
core.extend("conversation", { join = live.join, leave = live.leave, ask = live.ask })

local conversations = require "moontide.conversations"
core.extend("conversation", {
  fetch = conversations.fetch, draft = conversations.draft, set_draft = conversations.set_draft,
})

moontide.audit = require "moontide.audit"
moontide.audit_verify = core.audit_verify
moontide.audit_prune = core.audit_prune
moontide.audit_compact = core.audit_compact

local plans = require "moontide.plan"
core.extend("account", { plan = plans.plan, open_plan = plans.open })
local selecting = require "moontide.select"
core.extend("conversation", { select = selecting.of_conversation })
core.extend("account", { select = selecting.of_account })

moontide.read_archive = require("moontide.archived").open

local files = require "moontide.files"
core.extend("message", { download = files.download })
core.extend("archive", { fetch_media = files.fetch_media })
core.extend("conversation", {
  upload = files.upload, send_image = files.send_image, send_voice = files.send_voice, send_video = files.send_video,
  send_file = files.send_file, send_location = files.send_location, send_command = files.send_command,
  send_custom = files.send_custom, send_combine = files.send_combine,
})

--- message:readers(): all of them, page by page.
local function readers(message)
  local page, at, cursors = nil, 0, {}
  return function()
    while not page or at == #page.readers do
      if page and not page.cursor then return nil end
      if page and cursors[page.cursor] then
        core.raise("protocol", "readers.stuck", "the cloud gives the same page of readers again")
      end
      if page then cursors[page.cursor] = true end
      page, at = message:readers_page { cursor = page and page.cursor }, 0
    end
    at = at + 1
    return page.readers[at].user, page.readers[at].time
  end
end
core.extend("message", { readers = readers })

core.on_stop(function()
  timers.stop()
  live.stop()
  if store.pending() then moontide.store:flush() end
  core.finish()
end)

local describe = require "moontide.describe"
moontide.script, moontide.is_script, moontide.arg = describe.script, describe.is_script, describe.arg

--- What the end of a script's main part leaves behind is kept; handlers and timers go on and keep their own.
function moontide.at_end() if store.pending() then moontide.store:flush() end end

function moontide.is_checked() return core.checking() end

return moontide
