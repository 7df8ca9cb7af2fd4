-- Runs one suite and judges its TAP: lua5.4 suite.lua NAME SECONDS FOLDER. FOLDER/NAME.cmd is its script. Written
-- beside it: NAME.log, everything it said; NAME.result, "passed failed skipped". Failures are shown at once, then one
-- line sums up.
-- Besides "not ok", these are failures: no TAP at all, fewer or more results than planned, a plan that is missing, an
-- end by a signal or with a status, and not ending within SECONDS.
local name, seconds, folder = arg[1], tonumber(arg[2]), arg[3]
local DETAIL_LINES = 25

local function clock()
  local pipe = assert(io.popen("date +%s.%N"))
  local now = tonumber((pipe:read("l")))
  pipe:close()
  return now
end

local log = assert(io.open(("%s/%s.log"):format(folder, name), "wb"))
local started = clock()
local show = false
for line in io.lines(("%s/%s.cmd"):format(folder, name)) do show = show or line == "export MT_SHOW='1'" end

local passed, failed, skipped, planned, plans = 0, 0, 0, 0, 0
local detail = 0 -- lines of explanation still to be shown
local tail = {}  -- the last lines, for an end without a reason

local function say(text) io.stdout:write(name, ": ", text, "\n") io.stdout:flush() end

local function take(line)
  log:write(line, "\n")
  if #tail == DETAIL_LINES then table.remove(tail, 1) end
  tail[#tail + 1] = line
  if show then say(line) end
  local plan = line:match("^1%.%.(%d+)%s*$") or line:match("^1%.%.(%d+) # SKIP")
  if plan then
    planned, plans = planned + plan, plans + 1
  elseif line:match("^ok%f[%s\0]") then
    detail = 0
    if line:match("#%s*[Ss][Kk][Ii][Pp]") then
      skipped = skipped + 1
      say(line)
    else
      passed = passed + 1
    end
  elseif line:match("^not ok%f[%s\0]") then
    failed = failed + 1
    detail = DETAIL_LINES
    say(line)
  elseif line:match("^Bail out!") then
    failed = failed + 1
    planned = planned + 1
    say(line)
  elseif detail > 0 and (line:match("^%s*#") or line:match("^%s+")) then
    detail = detail - 1
    if not show then say(line) end
  end
end

-- The status comes as a line of its own: a process that the suite left behind may hold the pipe open for ever.
local mark = "@status of this suite: "
local pipe = assert(io.popen(("timeout -k 10 %d sh '%s/%s.cmd' </dev/null 2>&1; printf '\\n%s%%s\\n' $?"):format(
  seconds, folder, name, mark)))
local status
for line in pipe:lines() do
  if line:sub(1, #mark) == mark then
    status = tonumber(line:sub(#mark + 1))
    break
  end
  take(line)
end
pipe:close()

local complaints = {}
if status == 124 or status == 137 then
  complaints[1] = ("did not end within %d s"):format(seconds)
elseif status and status > 128 then
  complaints[1] = ("ended by signal %d"):format(status - 128)
elseif status ~= 0 and failed == 0 then
  complaints[1] = ("ended with status %s without a failed test"):format(status or "?")
end
if passed + failed + skipped == 0 then
  complaints[#complaints + 1] = "printed no TAP"
elseif plans == 0 then
  complaints[#complaints + 1] = "printed no plan (1..N)"
elseif planned ~= passed + failed + skipped then
  complaints[#complaints + 1] = ("planned %d tests and told of %d"):format(planned, passed + failed + skipped)
end
for _, text in ipairs(complaints) do
  failed = failed + 1
  log:write("not ok - ", text, "\n")
  say("not ok - " .. text)
end
if #complaints > 0 then for _, line in ipairs(tail) do say("  | " .. line) end end
log:close()

local result = assert(io.open(("%s/%s.result"):format(folder, name), "w"))
result:write(("%d %d %d\n"):format(passed, failed, skipped))
result:close()
local skips = skipped > 0 and (", %d skipped"):format(skipped) or ""
local line = ("%-6s %-24s %4d passed, %d failed%s  %.1f s\n"):format(
  failed == 0 and "ok" or "FAILED", name, passed, failed, skips, clock() - started)
io.stdout:write(line)
