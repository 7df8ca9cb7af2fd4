-- attack.lua: what a script that means harm can do all the time without being ended for it.
local moontide = require "moontide"

local function without_end(f)
  while true do
    f()
    moontide.sleep(0)
  end
end

local function from(tasks_n, f)
  for _ = 1, tasks_n do moontide.spawn(function() while true do f() end end) end
end

local attacks = {}

function attacks.slices()
  without_end(function()
    local till = moontide.now() + 800
    while moontide.now() < till do end
  end)
end

function attacks.collector()
  local key, kept, weak = {}, {}, setmetatable({}, { __mode = "k" })
  for _ = 1, 100000 do
    local next_key = {}
    weak[next_key], key = key, next_key
    kept[1] = key
  end
  without_end(function() for _ = 1, 1000 do kept[2] = {} end assert(kept[1]) end)
end

function attacks.memory()
  without_end(function()
    pcall(function()
      local kept = {}
      while true do
        kept[#kept + 1] = ("x"):rep(100000) .. #kept
        moontide.sleep(0)
      end
    end)
  end)
end

function attacks.calls() from(6, function() moontide.progress {} end) end

function attacks.history(account)
  local conversation = account:conversation "it"
  from(2, function() for _ in conversation:history {} do end end) -- more would be an attack on the cloud
end

function attacks.tables()
  local large = {}
  for i = 1, 90000 do large[i] = i end
  without_end(function() pcall(moontide.progress, large) end)
end

function attacks.texts()
  local large = ("x"):rep(20000000)
  without_end(function() pcall(moontide.progress, { label = large }) end)
end

function attacks.lines()
  local line = ("x"):rep(1000)
  without_end(function() for _ = 1, 100 do print(line) end end)
end

function attacks.functions()
  without_end(function()
    local many = {}
    for i = 1, 60000 do many[i] = function() return i end end
    pcall(moontide.progress, many)
  end)
end

return moontide.script {
  name = "attack", summary = "Attacks.",
  args = { how = moontide.arg.string { required = true } },
  run = function(job)
    if not attacks[job.args.how] then error("there is no attack " .. job.args.how) end
    attacks[job.args.how](moontide.account())
    moontide.sleep "1h"
  end,
}
