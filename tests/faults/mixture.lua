-- A random mixture: several exports with random options under random faults, then one without either. Whatever the
-- faults: what verify calls complete is equal to the undisturbed archive.
local CHANCES = { "p429", "p5xx", "cut", "truncate", "length", "html", "error_json", "redirect", "stale_cursor",
  "repeat_page", "null_page", "out_of_order", "duplicate" }
local SLOW = { "slow", "half_open" } -- each costs an account's timeout
local PATHS = { "", "", "messageroaming", "messageroaming", "user_channels", "token" }

local function pick(random, list) return list[random(#list)] end

local function faults_of(random, seed)
  local parts = { "seed=" .. seed, "retry_after=" .. pick(random, { "1", "1", "none", "garbage", "2" }) }
  for _ = 1, random(4) do
    parts[#parts + 1] = ("%s=%.3f"):format(pick(random, CHANCES), pick(random, { 0.01, 0.03, 0.1, 0.5 }))
  end
  if random(4) == 1 then parts[#parts + 1] = pick(random, SLOW) .. "=0.02" end
  if random(3) == 1 then parts[#parts + 1] = ("latency=0ms..%dms"):format(random(30)) end
  if random(6) == 1 then parts[#parts + 1] = "expire_after=" .. random(80) end
  if random(3) == 1 then parts[#parts + 1] = "after=" .. random(60) end
  if random(2) == 1 then parts[#parts + 1] = "times=" .. random(12) end
  local only = pick(random, PATHS)
  if only ~= "" then parts[#parts + 1] = "only=" .. only end
  return table.concat(parts, ",")
end

--- narrow: it leaves something out by itself.
local function options_of(random)
  local words = { "--patience " .. pick(random, { "0s", "0s", "6s" }), "--parallel " .. pick(random, { 1, 4, 32 }),
    "--concurrency " .. pick(random, { 1, 4, 16 }) }
  local narrow = random(3) == 1
  if narrow then
    words[#words + 1] = pick(random, { "--since 1d", "--since 3d", "--since 4d", "--until 1d", "--until 3d", "--kind text",
      "--kind image --kind voice" })
  end
  if random(4) == 1 then words[#words + 1] = "--window " .. pick(random, { "0s", "1d", "10d" }) end
  return table.concat(words, " "), narrow
end

return function(number, seed, w, check)
  local state = seed * 7919 + number
  local function random(n) -- splitmix64, the same on every machine
    state = state + 0x9e3779b97f4a7c15
    local z = (state ~ (state >> 30)) * 0xbf58476d1ce4e5b9
    z = (z ~ (z >> 27)) * 0x94d049bb133111eb
    return ((z ~ (z >> 31)) >> 1) % n + 1
  end
  local plain = w:run("export -a it -o plain", 60)
  if plain.status ~= 0 then error(plain.text) end
  local story, wrong = {}, nil
  for _ = 1, random(3) do
    local faults = faults_of(random, seed)
    local options, narrow = options_of(random)
    w:faults(faults)
    local run = w:run("export -a it -o archive " .. options, 120)
    local verdict, report = w:verify("archive")
    story[#story + 1] = ("export %s under %s: status %d, %.1f s, %s"):format(options, faults, run.status, run.seconds, verdict)
    local difference = verdict == "complete" and w:difference("plain", "archive")
    wrong = (run.status == 124 and "it does not end")
      or (run.status ~= 0 and run.status ~= 1 and run.status ~= 3 and "that is no status of an export")
      or (verdict == "damaged" and report.text)
      or (difference and "a silent gap: " .. difference)
      or (run.status == 0 and not narrow and verdict ~= "complete" and "done, but " .. report.text)
    if wrong then
      story[#story + 1] = wrong .. "\n" .. run.text
      break
    end
  end
  check(not wrong, ("mixture %d: complete and equal, or not called complete"):format(number), table.concat(story, "\n"))

  w:faults("")
  local clean = w:run("export -a it -o archive", 60)
  local verdict, report = w:verify("archive")
  local difference = w:difference("plain", "archive")
  check(clean.status == 0 and verdict == "complete" and not difference, ("mixture %d: made equal by a clean run"):format(number),
    table.concat(story, "\n") .. "\n" .. clean.text .. "\n" .. report.text .. "\n" .. tostring(difference))
end
