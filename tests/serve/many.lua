-- As many tasks as it is told, as a bot makes them in weeks: a hundred at a time.
local moontide = require "moontide"
local account = moontide.account()
account:on("connected", function() print "online" end)
account:on("message", function(message)
  for _ = 1, tonumber(message.text:match "%d+") // 100 do
    local tasks = {}
    for i = 1, 100 do tasks[i] = moontide.spawn(function() moontide.sleep(0) end) end
    for _, task in ipairs(tasks) do task:join() end
  end
  print "spawned"
end)
