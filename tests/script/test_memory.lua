-- A script that waits again and again keeps nothing of its waits, with little in hand and with much of what it may hold.
local moontide = require "moontide"
local function check(name, ok, why) print((ok and "pass " or "fail ") .. name .. (ok and "" or ": " .. tostring(why))) end

local ROUNDS, MOST_MS = 300000, 5000 -- ten times what a script may hold, or what a slow build gets done
local function wait_on()
  local till, n = moontide.now() + MOST_MS, 0
  local ok, fault = moontide.try(function()
    while n < ROUNDS and moontide.now() < till do
      moontide.sleep(0)
      n = n + 1
    end
    return true
  end)
  return ok, ("%s after %d waits"):format(fault, n)
end

check("waits of a small script leave nothing", wait_on())
local kept = {}
local function hold(n)
  for i = #kept + 1, n do
    kept[i] = ("x"):rep(1 << 20) .. i
    moontide.sleep(0)
  end
end
hold(44)
check("nor those of one that holds 44 of 64 MiB", wait_on())
hold(52)
check("nor of one that holds 52", wait_on())
check("which it still holds", #kept == 52)
