-- victim.lua: how long a tick of 10 ms with a page of history takes, for 3 s from second 1 on.
local moontide = require "moontide"
return moontide.script {
  name = "victim", summary = "Measures its own latency.",
  run = function()
    local conversation = moontide.account():conversation "guest"
    moontide.sleep "1s"
    local till, took = moontide.now() + 3000, {}
    while moontide.now() < till do
      local from = moontide.now()
      moontide.sleep "10ms"
      for _ in conversation:history { limit = 10 } do end
      took[#took + 1] = moontide.now() - from
    end
    table.sort(took)
    print(("measured %d %d %d %d"):format(took[#took * 99 // 100], took[#took // 2], took[#took], #took))
  end,
}
