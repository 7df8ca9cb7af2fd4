-- R15, server faults end to end: the real `moontide export` against `moontide sandbox --faults`. Under each fault the
-- run ends within its deadline, either with an archive that is complete and equal to that of an undisturbed export, or
-- with a clear failure: the right exit status, one line that says what is wrong and what to do, and an archive that
-- verify never calls complete. A further export without faults makes it equal. Then random mixtures of faults and
-- options. Never a silent gap: whatever verify calls complete is compared line by line.
--
-- MT_FAULTS_N: how many mixtures (20); MT_FAULTS_SEED: which (the date); MT_FAULTS_SLOW=0 leaves out what waits for
-- deadlines of half a minute; MT_FAULTS_ONLY: patterns of names, a|b.
package.path = "tests/faults/?.lua;" .. package.path
local world = require "world"
local cases = require "cases"
local mixture = require "mixture"

local N = tonumber(os.getenv("MT_FAULTS_N") or 20)
local SEED = tonumber(os.getenv("MT_FAULTS_SEED") or os.date("%Y%m%d"))
local AT_ONCE = 8 -- they wait more than they work
local MESSAGES = 3000

-------------------------------------------------------------------------------- one case, in a process of its own
local results = {}
local function check(ok, name, detail)
  results[#results + 1] = ("%s - %s"):format(ok and "ok" or "not ok", name)
  if not ok then
    for line in tostring(detail):gmatch("[^\n]+") do results[#results + 1] = "  # " .. line:sub(1, 400) end
  end
end

local function expect_fault(case, w, run)
  local missing = {}
  for _, text in ipairs(case.says) do
    local any = type(text) == "table" and text or { text }
    local said = false
    for _, part in ipairs(any) do said = said or run.text:find(part, 1, true) ~= nil end
    if not said then missing[#missing + 1] = table.concat(any, " | ") end
  end
  local lines = 0 -- of the failure itself; warnings on the way are allowed
  for line in run.text:gmatch("[^\n]+") do
    if line:find("^moontide export: ") then lines = lines + 1 end
  end
  check(run.status == case.status and #missing == 0 and (case.status ~= 1 or lines == 1), case.name .. ": a clear failure",
    ("status %d, wanted %d; not said: %s; said:\n%s"):format(run.status, case.status, table.concat(missing, "; "), run.text))
  local verdict, report = w:verify("archive")
  check(verdict == "unfinished" or verdict == "gaps", case.name .. ": verify does not call it complete", report.text)
end

local function expect_complete(case, w, run)
  check(run.status == 0, case.name .. ": the export is done", ("status %d\n%s"):format(run.status, run.text))
  local verdict, report = w:verify("archive")
  check(verdict == "complete", case.name .. ": verify calls it complete", report.text)
  local difference = w:difference("plain", "archive", true)
  check(not difference, case.name .. ": equal to the undisturbed export", difference)
end

local function run_case(case, w)
  local words = ("export -a %s -o archive %s"):format(case.account or "it", case.args or "")
  if case.patience then words = words .. " --patience " .. case.patience end
  local scope = ""
  if case.one then -- the busiest conversation alone
    local list = w:run("conversations -a it --json", 20).text
    scope = " --conversation " .. (list:match('"id":"(group:[^"]+)"') or error("no group: " .. list))
  end
  local plain = w:run("export -a it -o plain" .. scope, 60)
  if plain.status ~= 0 then error(plain.text) end
  w:faults(case.faults)
  local pages = w:stat("pages")
  local run = w:run(words .. scope, case.within, case.freeze)
  if case.freeze then w:signal("CONT") end
  local asked, hit = w:stat("pages") - pages, w:stat("faults_hit")
  check(run.status ~= 124 and run.seconds >= (case.takes or 0),
    ("%s: ends within %d s"):format(case.name, case.within), ("%.1f s\n%s"):format(run.seconds, run.text))
  if case.hits ~= false then check(hit > 0, case.name .. ": the fault came", "it never did") end
  if case.ends == "fails" then expect_fault(case, w, run) else expect_complete(case, w, run) end
  if case.pages then
    check(asked <= case.pages, ("%s: after at most %d pages"):format(case.name, case.pages), asked .. " pages")
  end
  if case.logins then
    local _, logins = w:get("log"):gsub('"path":"/sandbox/demo/token"', "")
    check(logins == case.logins, ("%s: %d logins"):format(case.name, case.logins), logins .. " logins")
  end

  w:faults("")
  local clean = w:run("export -a it -o archive" .. scope, 60)
  local verdict, report = w:verify("archive")
  local difference = w:difference("plain", "archive", true)
  check(clean.status == 0 and verdict == "complete" and not difference, case.name .. ": a further export makes it equal",
    clean.text .. "\n" .. report.text .. "\n" .. tostring(difference))

  if case.ends == "fails" and not case.freeze then -- what is there is read again under the fault, and stays as it is
    w:faults(case.faults)
    run = w:run(words .. scope, case.within)
    verdict, difference = w:verify("archive"), w:difference("plain", "archive", true)
    check(run.status ~= 124 and not difference and (verdict == "complete" or run.status ~= 0),
      case.name .. ": and under the fault nothing is taken back", run.text .. "\n" .. tostring(difference))
  end
end

local function one(id, dir)
  local case
  for _, it in ipairs(cases) do if it.id == id then case = it end end
  local mix = id:match("^mix%-(%d+)$")
  local timeout = case and case.timeout or mix and "2s"
  local w = world.new(dir .. "/" .. id, {
    messages = case and case.messages or MESSAGES, timeout = timeout, faults = "seed=" .. SEED + (mix or 0),
    cloud = case and case.cloud,
  })
  local ok, fault = xpcall(function()
    if case then run_case(case, w) else mixture(tonumber(mix), SEED + mix, w, check) end
  end, debug.traceback)
  if not ok then check(false, (case and case.name or id) .. ": comes to its end", fault) end
  w:close()
  local file = assert(io.open(("%s/%s.tap"):format(dir, id), "w"))
  file:write(table.concat(results, "\n"), "\n")
  file:close()
end

-------------------------------------------------------------------------------- all of them
local function wanted()
  local list = {}
  local only = os.getenv("MT_FAULTS_ONLY")
  local function asked_for(name)
    for pattern in (only or ""):gmatch("[^|]+") do
      if name:find(pattern) then return true end
    end
    return not only
  end
  local function add(id, name, first)
    if asked_for(name) then table.insert(list, first and 1 or #list + 1, id) end
  end
  for _, case in ipairs(cases) do
    if not case.slow or os.getenv("MT_FAULTS_SLOW") ~= "0" then add(case.id, case.name, case.slow) end
  end
  for i = 1, N do add("mix-" .. i, "mixture " .. i) end
  return list
end

local function all()
  local dir = world.output_of('mktemp -d "${TMPDIR:-/tmp}/moontide-faults-XXXXXX"'):gsub("%s+$", "")
  local list, n = wanted(), 0
  print("# seed " .. SEED .. ", " .. N .. " mixtures")
  local plan = assert(io.open(dir .. "/plan", "w"))
  plan:write(table.concat(list, "\n"), "\n")
  plan:close()
  os.execute(("xargs -a %s/plan -P %d -I {} lua5.4 tests/faults/run.lua {} %s"):format(dir, AT_ONCE, dir))
  for _, id in ipairs(list) do
    local file = io.open(("%s/%s.tap"):format(dir, id))
    for line in (file and file:read("a") or ("not ok - %s: comes to its end\n"):format(id)):gmatch("[^\n]+") do
      if line:find("^[no]") then
        n = n + 1
        line = line:gsub("^(n?o?t? ?ok)", "%1 " .. n)
      end
      print(line)
    end
    if file then file:close() end
  end
  os.execute("rm -rf " .. world.quote(dir))
  print("1.." .. n)
end

if arg[1] then one(arg[1], arg[2]) else all() end
