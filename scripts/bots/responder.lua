-- Answers by keywords: the first line of the configuration's list whose word stands in the message. Outside of the
-- office hours it says so, once per conversation and pause; nobody is answered more often than the limit allows.
local moontide = require "moontide"

--- "price=Our prices: …" as a word and an answer.
local function rules_of(lines)
  local rules = {}
  for i, line in ipairs(lines or {}) do
    local word, answer = line:match "^%s*(.-)%s*=%s*(.+)$"
    if not word or word == "" then error(("rule %d is not WORD=ANSWER: %s"):format(i, line), 0) end
    rules[i] = { word = word:lower(), answer = answer }
  end
  return rules
end

--- "09:00-17:30" as minutes of the day; hours over midnight, such as 22:00-06:00, are fine.
local function hours_of(text)
  local h1, m1, h2, m2 = text:match "^(%d%d):(%d%d)%-(%d%d):(%d%d)$"
  if not h1 then error("hours are written 09:00-17:30: " .. text, 0) end
  return { from = h1 * 60 + m1, to = h2 * 60 + m2 }
end

local function is_open(hours, days, now_ms, offset_ms)
  local now = os.date("!*t", (now_ms + offset_ms) // 1000)
  local minute, day = now.hour * 60 + now.min, tostring((now.wday + 5) % 7 + 1) -- 1 is Monday
  if not days:find(day, 1, true) then return false end
  if hours.from <= hours.to then return minute >= hours.from and minute < hours.to end
  return minute >= hours.from or minute < hours.to
end

return moontide.script {
  name = "responder",
  summary = "Answer messages that hold a keyword, within office hours.",
  category = { "bots", "sends" },
  args = {
    account = moontide.arg.string { required = true, short = "a", doc = "the account, as the configuration names it" },
    rule = moontide.arg.list { doc = "WORD=ANSWER, the first that matches; repeatable" },
    hours = moontide.arg.string { default = "00:00-24:00", doc = "when answers are given" },
    days = moontide.arg.string { default = "1234567", doc = "on which days, 1 is Monday" },
    utc_offset = moontide.arg.string { default = "+00:00", doc = "of the hours, such as +08:00" },
    closed = moontide.arg.string { default = "", doc = "what is said outside of the hours; default: nothing" },
    pause = moontide.arg.duration { default = "1h", min = "1s", doc = "how often one conversation is told that" },
    limit = moontide.arg.integer { default = 10, min = 1, max = 1000, doc = "answers a conversation and minute" },
  },
  grant = { read = true, send = true },
  sample = "single:bob: price",
  run = function(job)
    local args = job.args
    local account, rules, hours = moontide.account(args.account), rules_of(args.rule), hours_of(args.hours)
    local sign, oh, om = args.utc_offset:match "^([+-])(%d%d):(%d%d)$"
    if not sign then error("utc_offset is written +08:00: " .. args.utc_offset, 0) end
    local offset = (oh * 60 + om) * 60000 * (sign == "-" and -1 or 1)
    local store = moontide.store -- when a conversation was last told that we are closed: kept over a restart
    local given = {}             -- the times of the last answers, by conversation

    --- Whether one more answer is within the limit. What is older than a minute is forgotten.
    local function may_answer(id, now)
      local times = given[id] or {}
      while times[1] and now - times[1] >= 60000 do table.remove(times, 1) end
      if #times >= args.limit then return false end
      times[#times + 1] = now
      given[id] = times
      return true
    end

    moontide.every("1m", function()
      local now = moontide.now()
      for id, times in pairs(given) do if now - times[#times] >= 60000 then given[id] = nil end end
      for key, told in pairs(store) do if now - told >= args.pause then store[key] = nil end end
    end)
    account:on("connected", function() print "online" end)
    account:on("message", function(message, event)
      if message.direction == "sent" or not message.text then return end
      local id, now = event.conversation.id, moontide.now()
      if not is_open(hours, args.days, now, offset) then
        local key = "closed " .. id
        if args.closed == "" or now - (store[key] or 0) < args.pause then return end
        store[key] = now
        message:reply(args.closed)
        return
      end
      local text = message.text:lower()
      for _, rule in ipairs(rules) do
        if text:find(rule.word, 1, true) then
          if may_answer(id, now) then
            message:reply(rule.answer)
            print(("%s: %s"):format(id, rule.word))
          else
            moontide.log.warn(("%s: more than %d answers a minute: left out"):format(id, args.limit))
          end
          return
        end
      end
    end)
  end,
}
