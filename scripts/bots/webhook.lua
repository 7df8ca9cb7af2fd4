-- Forwards messages to a web server, as JSON. What the server does not take is kept and tried again, in order for each
-- conversation; nothing is acknowledged to the cloud before it is kept here or taken there.
local moontide = require "moontide"

return moontide.script {
  name = "webhook",
  summary = "Forward every message to a web server, as JSON.",
  category = { "bots", "reads" },
  args = {
    account = moontide.arg.string { required = true, short = "a", doc = "the account, as the configuration names it" },
    url = moontide.arg.string { required = true, doc = "where; https, or http to this machine" },
    token = moontide.arg.string { doc = "sent as Authorization: Bearer" },
    sent = moontide.arg.flag { doc = "forward what this user writes on other devices, too" },
    retry = moontide.arg.duration { default = "30s", min = "100ms", doc = "how often what was kept is tried again" },
    keep = moontide.arg.integer { default = 5000, min = 1, max = 100000, doc = "messages that are kept at most" },
  },
  grant = { read = true, http = true },
  sample = "1200000000000000001: 200",
  run = function(job)
    local args = job.args
    local account = moontide.account(args.account)
    local store = moontide.store -- what was not taken yet: by time and id, so that pairs gives it in order
    local waiting = {}           -- how many of each conversation are kept
    local kept = 0

    local function post(line)
      local answer = moontide.http.post(args.url, line, {
        timeout = "20s", bearer = args.token, headers = { ["Content-Type"] = "application/json" },
      })
      if answer.status >= 200 and answer.status < 300 then return true end
      return false, "status " .. answer.status
    end

    --- Whether the server has taken it; else why not.
    local function try(line)
      local ok, taken, why = moontide.try(post, line)
      if not ok then return false, taken.message end
      return taken, why
    end

    local function keep(message, line, why)
      while kept >= args.keep do moontide.sleep(args.retry) end -- the cloud keeps what comes after this one
      store[("%016d %s"):format(message.time, message.id)] = line
      kept = kept + 1
      waiting[message.conversation] = (waiting[message.conversation] or 0) + 1
      moontide.log.warn(("%s: kept for later: %s"):format(message.id, why))
    end

    for _, line in pairs(store) do
      local id = moontide.json.decode(line).conversation
      kept, waiting[id] = kept + 1, (waiting[id] or 0) + 1
    end

    moontide.every(args.retry, function()
      local stuck = {} -- conversations whose first one was not taken: the order of the others is kept, too
      for key, line in pairs(store) do
        local id = moontide.json.decode(line).conversation
        if not stuck[id] then
          local taken = try(line)
          if taken then
            store[key] = nil
            kept, waiting[id] = kept - 1, waiting[id] > 1 and waiting[id] - 1 or nil
            print(key:match "%S+$" .. ": taken")
          else
            stuck[id] = true
          end
        end
      end
    end)
    account:on("connected", function() print "online" end)
    account:on("message", function(message)
      if message.direction == "sent" and not args.sent then return end
      local line = message:json()
      local taken, why = false, "others wait before it"
      if not waiting[message.conversation] then taken, why = try(line) end
      if taken then print(message.id .. ": taken") else keep(message, line, why) end
    end, { limit = 0 })
  end,
}
