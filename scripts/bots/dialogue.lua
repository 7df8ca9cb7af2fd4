-- A dialogue that waits for answers: takes an order, line by line, and keeps it. Copy it to build a form, a survey or
-- the first questions of a support desk.
local moontide = require "moontide"

return moontide.script {
  name = "dialogue",
  summary = "Take orders in a dialogue: what, how many, is that right.",
  category = { "bots", "sends" },
  args = {
    account = moontide.arg.string { required = true, short = "a", doc = "the account, as the configuration names it" },
    word = moontide.arg.string { default = "order", doc = "what begins the dialogue" },
    patience = moontide.arg.duration { default = "10m", min = "1s", doc = "how long an answer may take" },
  },
  grant = { read = true, send = true },
  sample = "order 1 of single:bob: 3 x tea",
  run = function(job)
    local args = job.args
    local account = moontide.account(args.account)
    local store = moontide.store

    --- Asks whoever wrote, in the conversation where it was; nil when nobody answers.
    local function ask(message, event, question)
      local ok, answer = moontide.try(event.conversation.ask, event.conversation, question,
        { from = message.from, timeout = args.patience })
      if ok then return answer.text or "" end
      if answer.code ~= "ask.timeout" then error(answer, 0) end
      message:reply("Let us stop here. Write '" .. args.word .. "' to begin again.")
      return nil
    end

    --- Asks until the answer is a whole number.
    local function ask_number(message, event, question)
      for _ = 1, 3 do
        local text = ask(message, event, question)
        if not text then return nil end
        local n = math.tointeger(tonumber(text))
        if n and n > 0 then return n end
        question = "A whole number, please."
      end
      message:reply "That does not work today. Somebody will look at it."
      return nil
    end

    account:on("connected", function() print "online" end)
    account:on("message", function(message, event)
      if message.direction == "sent" or not message.text then return end
      if message.text:lower() ~= args.word then return end
      local what = ask(message, event, "What would you like?")
      local n = what and ask_number(message, event, ("How many %s?"):format(what))
      local sure = n and ask(message, event, ("%d x %s: is that right? (yes/no)"):format(n, what))
      if not sure then return end
      if sure:lower() ~= "yes" then
        message:reply("Nothing was ordered. Write '" .. args.word .. "' to begin again.")
        return
      end
      store.orders = (store.orders or 0) + 1
      store[("order %08d"):format(store.orders)] = { from = message.from, what = what, n = n, at = message.time }
      message:reply(("Thank you. Your order has the number %d."):format(store.orders))
      print(("order %d of %s: %d x %s"):format(store.orders, event.conversation.id, n, what))
    end, { limit = "1m" })
  end,
}
