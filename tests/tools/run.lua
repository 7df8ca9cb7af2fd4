-- The test runner: builds, finds the suites, runs them as many at a time as there are processors, and ends with one
-- line: "N passed, N failed" (", N skipped" if any). Status 0 means that every suite ran and nothing failed.
-- A suite is a program that prints TAP; suite.lua runs one. Full output: build/logs/<suite>.log
local mode = arg[1] or "check"
local MODES = { check = true, crash = true, fuzz = true, soak = true, bench = true, lint = true,
  ["retention-proof"] = true }
if not MODES[mode] then
  io.stderr:write("usage: tests/run.sh check|crash|fuzz|soak|bench|lint|retention-proof\n")
  os.exit(2)
end

local LOGS = "build/logs"
local suites = {}

local function quote(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end
local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  pipe:close()
  return (text:gsub("%s+$", ""))
end
local function lines_of(command)
  local out = {}
  for line in output_of(command):gmatch("[^\n]+") do out[#out + 1] = line end
  return out
end
local function is_program(path) return os.execute("test -x " .. quote(path)) == true end
local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local HERE = output_of("pwd")
local JOBS = os.getenv("MT_JOBS") or output_of("nproc 2>/dev/null || echo 2")
local ASAN = {
  ASAN_OPTIONS = "detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1",
  UBSAN_OPTIONS = "halt_on_error=1:print_stacktrace=1",
  MT_CONFIG = "asan", MOONTIDE = HERE .. "/build/asan/bin/moontide",
}
local RELEASE = { MT_CONFIG = "release", MOONTIDE = HERE .. "/build/bin/moontide" }

-- What the tests talk to is on loopback, whatever proxy the machine has; and npm trusts whom the machine trusts.
local COMMON = { LC_ALL = "C.UTF-8" }
for _, name in ipairs { "no_proxy", "NO_PROXY" } do
  local there = os.getenv(name)
  COMMON[name] = (there and there ~= "" and there .. "," or "") .. "127.0.0.1,localhost,::1"
end
local BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
if not os.getenv("NODE_EXTRA_CA_CERTS") and os.execute("test -r " .. BUNDLE) then
  COMMON.NODE_EXTRA_CA_CERTS = BUNDLE
end

--- A suite: its name, seconds it may take, environment, command.
local function suite(name, seconds, environment, command)
  suites[#suites + 1] = { name = name, seconds = seconds, environment = environment or {}, command = command }
end

--- Writes the script of one suite, which suite.lua runs.
local function prepare(one)
  local words = { "cd " .. quote(HERE) }
  local environment, names = {}, {}
  for _, part in ipairs { COMMON, one.environment } do for k, v in pairs(part) do environment[k] = v end end
  for name in pairs(environment) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do words[#words + 1] = ("export %s=%s"):format(name, quote(environment[name])) end
  words[#words + 1] = one.command
  write(("%s/%s.cmd"):format(LOGS, one.name), table.concat(words, "\n") .. "\n")
end

local function run(list)
  local input = {}
  for _, one in ipairs(list) do
    prepare(one)
    input[#input + 1] = ("%s %d %s"):format(one.name, one.seconds, LOGS)
  end
  write(LOGS .. "/plan", table.concat(input, "\n") .. "\n")
  os.execute(("xargs -a %s/plan -P %s -L 1 lua5.4 tests/tools/suite.lua"):format(LOGS, JOBS))
end

-------------------------------------------------------------------------------- builds
local function build(config, targets, settings)
  local command = ("make --no-print-directory -k -C build -j%s config=%s %s %s"):format(
    JOBS, config, settings or "", targets)
  local said = ("%s/build-%s.said"):format(LOGS, config)
  suites[#suites + 1] = { name = "build-" .. config, seconds = 1800, environment = {}, command = ([[
if %s >%s 2>&1; then echo 'ok 1 - %s builds'
else
  echo 'not ok 1 - %s builds'
  grep -E -A2 'error:|undefined reference|\*\*\*' %s | head -20 | sed 's/^/# /'
fi
echo 1..1]]):format(command, said, config, config, said) }
  run { suites[#suites] }
end

--- The pinned packages of the conformance tests, from whatever registry npm is configured with; once more if the first
--- try fails, for networks do.
local function install_npm()
  if is_program("tests/conformance/run.sh") then
    suite("npm", 900, {}, [[
cd tests/conformance
if [ node_modules/.package-lock.json -nt package-lock.json ]; then echo 'ok 1 - the pinned packages are there'
elif npm ci --no-audit --no-fund --no-progress || npm ci --no-audit --no-fund --no-progress
then touch node_modules/.package-lock.json; echo 'ok 1 - the pinned packages are installed'
else echo 'not ok 1 - npm ci'; fi
echo 1..1]])
    run { suites[#suites] }
  end
end

local function fuzz_targets()
  return lines_of("find tests/fuzz -name 'fuzz_*.c' 2>/dev/null | sed 's|.*/fuzz_||; s|\\.c$||' | LC_ALL=C sort")
end

-------------------------------------------------------------------------------- what there is to run
local FULL = { kill = 1000, powercut = 10000, damage = 1000, io_errors = 500, gate = 100000 }

local function lint_suites()
  for _, path in ipairs(lines_of("ls tests/lint/*.lua | LC_ALL=C sort")) do
    local name = path:match("([^/]+)%.lua$")
    if name ~= "lib" and name ~= "tidy" then
      suite("lint-" .. name, 600, RELEASE, "exec lua5.4 " .. path)
    end
  end
end

local function unit_suites()
  for _, room in ipairs(lines_of("ls -d tests/unit/*/ | LC_ALL=C sort")) do
    room = room:match("([^/]+)/$")
    local tap = { CMOCKA_MESSAGE_OUTPUT = "TAP" }
    for _, kind in ipairs { { "release", RELEASE, "build/bin" }, { "asan", ASAN, "build/asan/bin" } } do
      local environment = {}
      for _, part in ipairs { tap, kind[2] } do for k, v in pairs(part) do environment[k] = v end end
      suite(("unit-%s-%s"):format(room, kind[1]), 600, environment, ("exec %s/test-%s"):format(kind[3], room))
    end
  end
end

local function crash_suites(full)
  for _, path in ipairs(lines_of("ls tests/crash/*.c 2>/dev/null | LC_ALL=C sort")) do
    local name = path:match("([^/]+)%.c$")
    if not name:match("^lib_") then
      local environment = {}
      for k, v in pairs(RELEASE) do environment[k] = v end
      if full then
        environment.MT_CRASH_N = os.getenv("MT_CRASH_N") or FULL[name] or 1000
        environment.MT_CRASH_STEPS = os.getenv("MT_CRASH_STEPS") or 0
      end
      suite("crash-" .. name, full and 6 * 3600 or 900, environment, "exec build/bin/crash-" .. name)
      if not full then
        -- several times slower, and after the same mistakes: a smaller sample
        local sample = { MT_CRASH_N = "10", MT_CRASH_STEPS = "12" }
        for k, v in pairs(ASAN) do sample[k] = v end
        suite("crash-" .. name .. "-asan", 1200, sample, "exec build/asan/bin/crash-" .. name)
      end
    end
  end
end

local function fuzz_suites(runs, seconds)
  for _, name in ipairs(fuzz_targets()) do
    suite("fuzz-" .. name, seconds, {}, ("exec sh tests/tools/fuzz.sh %s %d"):format(name, runs))
  end
end

--- Hours of live accounts, in minutes; the same ones in every check.
local function soak_suites(full)
  local release = { MT_SOAK_HOURS = full and (os.getenv("MT_SOAK_HOURS") or "24") or "0.3" }
  for _, name in ipairs { "MT_SOAK_SEED", "MT_SOAK_SPEED", "MT_SOAK_MESSAGES" } do release[name] = os.getenv(name) end
  for k, v in pairs(RELEASE) do release[k] = v end
  if full then
    release.MT_SHOW = "1"
    suite("soak", 6 * 3600, release, "exec build/bin/soak-soak")
    release.MT_SOAK_RELOADS = os.getenv("MT_SOAK_RELOADS") or "3400" -- of three scripts each
    suite("soak-reloads", 3600, release, "exec tests/soak/reloads.sh")
    return
  end
  release.MT_SOAK_SEED = release.MT_SOAK_SEED or "20261121"
  suite("soak-release", 600, release, "exec build/bin/soak-soak")
  suite("soak-reloads", 600, release, "exec tests/soak/reloads.sh")
  local asan = { MT_SOAK_HOURS = "0.1", MT_SOAK_SPEED = "100", MT_SOAK_SEED = release.MT_SOAK_SEED }
  for k, v in pairs(ASAN) do asan[k] = v end
  suite("soak-asan", 900, asan, "exec build/asan/bin/soak-soak")
end

--- R3 in full: random histories, and kills over all the chats there are.
local function proof_suites()
  for _, cloud in ipairs { "easemob", "rongcloud" } do
    for name, number in pairs { property = { "MT_RETENTION_N", "100000" }, kill = { "MT_RETENTION_KILLS", "1000" } } do
      local environment = { MT_RETENTION_LINES = os.getenv("MT_RETENTION_LINES") or "8000",
        MT_RETENTION_SEED = os.getenv("MT_RETENTION_SEED"), [number[1]] = os.getenv(number[1]) or number[2] }
      for k, v in pairs(RELEASE) do environment[k] = v end
      suite(("retention-%s-%s"):format(name, cloud), 12 * 3600, environment,
        ("exec node tests/proof/%s.js %s"):format(name, cloud))
    end
  end
end

--- Each safeguard taken out of a copy of the program: the proof must turn red.
local function mutant_suite() suite("retention-mutants", 6 * 3600, RELEASE, "exec lua5.4 tests/proof/mutants.lua") end

--- The folders with a runner that both builds go through, the long ones first.
local function plain_runners()
  local list = {
    "cases", "script", "isolated", "live", "effects", "serve", "jobs", "clock", "fleet", "status", "grants",
  }
  local listed = { bench = true, conformance = true, proof = true, faults = true, neighbours = true }
  for _, name in ipairs(list) do listed[name] = true end
  for name in output_of("ls tests/*/run.sh"):gmatch("tests/(%w+)/run%.sh") do
    if not listed[name] then list[#list + 1] = name end
  end
  return list
end

--- A folder that brings its own runner.
local function runner_suites()
  if is_program("tests/conformance/run.sh") then
    suite("conformance", 2700, RELEASE, "exec tests/conformance/run.sh")
    -- all of it again, on a slice of the messages
    local slice = { MT_CORPUS_LIMIT = os.getenv("MT_CORPUS_LIMIT") or "400" }
    for k, v in pairs(ASAN) do slice[k] = v end
    suite("conformance-asan", 2700, slice, "exec tests/conformance/run.sh")
  end
  for _, name in ipairs(plain_runners()) do
    local runner = ("tests/%s/run.sh"):format(name)
    suite(name .. "-release", 1800, RELEASE, "exec " .. runner)
    suite(name .. "-asan", 2700, ASAN, "exec " .. runner)
  end
  if is_program("tests/proof/run.sh") then
    suite("proof-release", 1800, RELEASE, "exec tests/proof/run.sh")
    local sample = { MT_RETENTION_N = "80", MT_RETENTION_KILLS = "3", MT_RETENTION_LINES = "600" }
    for k, v in pairs(ASAN) do sample[k] = v end
    suite("proof-asan", 2700, sample, "exec tests/proof/run.sh")
  end
  if is_program("tests/faults/run.sh") then
    suite("faults-release", 900, RELEASE, "exec tests/faults/run.sh")
    local sample = { MT_FAULTS_N = "5", MT_FAULTS_SLOW = "0" }
    for k, v in pairs(ASAN) do sample[k] = v end
    suite("faults-asan", 1200, sample, "exec tests/faults/run.sh")
  end
end

-------------------------------------------------------------------------------- the modes
local started = os.time()
os.execute("rm -rf " .. LOGS .. " && mkdir -p " .. LOGS)
local generated = os.execute("make --no-print-directory generate >" .. LOGS .. "/generate.log 2>&1")
if not generated then
  io.write(output_of("cat " .. LOGS .. "/generate.log"), "\n0 passed, 1 failed\n")
  os.exit(1)
end

if mode == "check" then
  build("release", "all")
  build("asan", "all")
  local fuzz = fuzz_targets()
  if #fuzz > 0 then build("fuzz", "fuzz-" .. table.concat(fuzz, " fuzz-"), "CC=clang") end
  install_npm()
  local builds = #suites
  -- the long ones first, so that nothing long is left alone at the end
  runner_suites()
  suite("lint-tidy", 1800, { MT_JOBS = "1" }, "exec lua5.4 tests/lint/tidy.lua")
  crash_suites(false)
  soak_suites(false)
  unit_suites()
  suite("install", 300, {}, "exec sh tests/tools/install_test.sh")
  fuzz_suites(20000, 600)
  lint_suites()
  run { table.unpack(suites, builds + 1) }
  -- what measures how long something takes has the machine for itself
  suite("neighbours", 900, RELEASE, "exec tests/neighbours/run.sh")
  run { suites[#suites] }
elseif mode == "lint" then
  build("release", "moontide")
  local builds = #suites
  suite("lint-tidy", 1800, { MT_JOBS = "1" }, "exec lua5.4 tests/lint/tidy.lua")
  lint_suites()
  run { table.unpack(suites, builds + 1) }
elseif mode == "crash" then
  build("release", "all")
  local builds = #suites
  crash_suites(true)
  local fleet = { MT_FLEET_TICKS = "16000", MT_FLEET_JOBS = "30", MT_FLEET_FAULTS = "320", MT_FLEET_TAKEOVERS = "100" }
  for k, v in pairs(RELEASE) do fleet[k] = v end
  suite("fleet", 7200, fleet, "exec tests/fleet/run.sh")
  suite("jobs-mutants", 7200, RELEASE, "exec lua5.4 tests/proof/mutants.lua tests/jobs/mutants.lua")
  local effects = { MT_EFFECTS_N = "1000" }
  for k, v in pairs(RELEASE) do effects[k] = v end
  suite("effects", 7200, effects, "exec tests/effects/run.sh")
  run { table.unpack(suites, builds + 1) }
elseif mode == "retention-proof" then
  build("release", "moontide test-policy crash-powercut")
  local builds = #suites
  proof_suites()
  mutant_suite()
  run { table.unpack(suites, builds + 1) }
elseif mode == "soak" then
  build("release", "moontide soak-soak")
  local builds = #suites
  soak_suites(true)
  run { table.unpack(suites, builds + 1) }
elseif mode == "fuzz" then
  build("fuzz", "fuzz-" .. table.concat(fuzz_targets(), " fuzz-"), "CC=clang")
  local builds = #suites
  fuzz_suites(tonumber(os.getenv("MT_FUZZ_RUNS") or 1000000), 6 * 3600)
  run { table.unpack(suites, builds + 1) }
elseif mode == "bench" then
  build("release", "all")
  install_npm()
  if is_program("tests/bench/run.sh") then
    -- alone and shown as it runs: figures are for people
    RELEASE.MT_SHOW = "1"
    suite("bench", 6 * 3600, RELEASE,
      "if tests/bench/run.sh; then echo ok 1 - it ran; else echo not ok 1 - it ran; fi; echo 1..1")
    run { suites[#suites] }
  end
end

-------------------------------------------------------------------------------- the sum
local passed, failed, skipped = 0, 0, 0
local reds = {}
for _, one in ipairs(suites) do
  local file = io.open(("%s/%s.result"):format(LOGS, one.name))
  local p, f, s
  if file then
    p, f, s = file:read("a"):match("^(%d+) (%d+) (%d+)")
    file:close()
  end
  if not p then p, f, s = 0, 1, 0 end -- it never came to its end
  passed, failed, skipped = passed + p, failed + f, skipped + s
  if tonumber(f) > 0 then reds[#reds + 1] = one.name end
end
print(("%d suites in %d s; logs in %s"):format(#suites, os.time() - started, LOGS))
if #reds > 0 then print("red: " .. table.concat(reds, " ")) end
io.write(("%d passed, %d failed%s\n"):format(passed, failed, skipped > 0 and (", %d skipped"):format(skipped) or ""))
os.exit(failed == 0 and passed > 0)
