-- What a case works with: a sandbox of its own, exports from it, and the comparison of two archives.
local world = {}
world.__index = world

local MOONTIDE = os.getenv("MOONTIDE") or "build/bin/moontide"

local function quote(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end
world.quote = quote

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  pipe:close()
  return text
end
world.output_of = output_of

if MOONTIDE:sub(1, 1) ~= "/" then MOONTIDE = output_of("pwd"):gsub("%s+$", "") .. "/" .. MOONTIDE end

local function clock() return tonumber(output_of("date +%s.%N")) end

--- A sandbox with made-up messages, and a configuration with the accounts "it" (password) and "token" (no password).
-- options: messages, faults (of the start), timeout (of the accounts), cloud ("easemob")
function world.new(dir, options)
  local self = setmetatable({ dir = dir, timeout = options.timeout }, world)
  os.execute("mkdir -p " .. quote(dir))
  self.sandbox = assert(io.popen(("echo $$; exec %s sandbox --generate %d --faults %s 2>%s"):format(
    quote(MOONTIDE), options.messages, quote(options.faults or "seed=1"), quote(dir .. "/sandbox.log"))))
  self.pid = self.sandbox:read("l")
  local ready = self.sandbox:read("l") or error("the sandbox does not start, see " .. dir .. "/sandbox.log")
  self.rest = ready:match('"rest":"([^"]+)"')
  local more = options.timeout and (', timeout = "%s"'):format(options.timeout) or ""
  local file = assert(io.open(dir .. "/moontide.lua", "w"))
  if options.cloud == "rongcloud" then
    file:write(([[account "it" { provider = "rongcloud", appkey = "sandbox", user = "agent", token = "sandbox-agent",
  navigators = { "%s" } %s }]]):format(ready:match('"navigator":"([^"]+)"'), more), "\n")
  end
  for name, secret in pairs(options.cloud == "rongcloud" and {} or { it = "password", token = "token" }) do
    file:write(([[account "%s" { provider = "easemob", appkey = "sandbox#demo", user = "agent", %s = env "TEST_SECRET",
  rest = "%s", websocket = "%s" %s }]]):format(name, secret, self.rest, ready:match('"websocket":"([^"]+)"'), more), "\n")
  end
  file:close()
  os.execute("chmod 600 " .. quote(dir .. "/moontide.lua"))
  return self
end

function world:signal(name) os.execute(("kill -%s %s"):format(name, self.pid)) end

function world:close()
  self:signal("CONT")
  self:signal("TERM")
  self.sandbox:close()
end

function world:post(path, text)
  local answer = output_of(("curl -sS --noproxy '*' -X POST --data-binary %s %s 2>&1"):format(
    quote(text), quote(self.rest .. "/sandbox/" .. path)))
  if not answer:find('^{"' ) or answer:find('"error"') then error("the sandbox: " .. answer) end
end

function world:faults(text) self:post("faults", text) end

function world:get(path)
  return output_of(("curl -sS --noproxy '*' %s"):format(quote(self.rest .. "/sandbox/" .. path)))
end

function world:stat(key) return math.tointeger(tonumber(self:get("stats"):match(('"%s":(%%d+)'):format(key)))) end

--- Runs moontide in the case's folder. Returns {status, text, seconds}; status 124: it did not end within the deadline.
-- freeze: stop the sandbox so many seconds after the start.
function world:run(words, deadline, freeze)
  local started = clock()
  local out = self.dir .. "/out"
  local secret = words:find("-a token", 1, true) and "sandbox-agent" or "secret"
  local command = ("cd %s && TEST_SECRET=%s timeout -k 5 %d %s %s >out 2>&1; echo $?"):format(
    quote(self.dir), secret, deadline, quote(MOONTIDE), words)
  if freeze then command = ("(sleep %s; kill -STOP %s) >/dev/null 2>&1 & %s"):format(freeze, self.pid, command) end
  local status = math.tointeger(tonumber(output_of(command)))
  local file = assert(io.open(out, "rb"))
  local text = file:read("a")
  file:close()
  return { status = status, text = text, seconds = clock() - started }
end

function world:verify(archive)
  local result = self:run("verify " .. archive, 60)
  return result.text:match("\n?(%a+): %d+ conversations") or "none", result
end

--- The lines of an archive by conversation, gaps left out: {[conversation] = {line, …}}, and how many there are.
function world:lines(archive)
  local list, n = {}, 0
  local files = output_of(("cd %s && find %s -name '*.jsonl' ! -name MANIFEST.jsonl | LC_ALL=C sort"):format(
    quote(self.dir), quote(archive)))
  for path in files:gmatch("[^\n]+") do
    local conversation = path:match("/conv/([^/]+)/")
    local lines = list[conversation] or {}
    for line in io.lines(self.dir .. "/" .. path) do
      if not line:find('^{"v":1,"type":"gap"') then
        lines[#lines + 1] = line
        n = n + 1
      end
    end
    if #lines > 0 then list[conversation] = lines end
  end
  return list, n
end

local function sorted(lines)
  local out = table.move(lines, 1, #lines, 1, {})
  table.sort(out)
  return out
end

--- nil if both archives hold the same lines, byte by byte, none twice; else what differs. in_order: in the same order too.
function world:difference(a, b, in_order)
  local left, left_n = self:lines(a)
  local right, right_n = self:lines(b)
  if left_n ~= right_n then return ("%s has %d lines, %s has %d"):format(a, left_n, b, right_n) end
  for conversation, lines in pairs(left) do
    local others = right[conversation]
    if not others or #others ~= #lines then
      return ("%s: %d lines in %s, %d in %s"):format(conversation, #lines, a, others and #others or 0, b)
    end
    if not in_order then lines, others = sorted(lines), sorted(others) end
    for i, line in ipairs(lines) do
      if line ~= others[i] then
        return ("%s, line %d:\n%s\n%s"):format(conversation, i, line:sub(1, 300), others[i]:sub(1, 300))
      end
    end
  end
  return nil
end

return world
