-- Words and calls that do not belong: dangerous calls of the C library, notes to oneself, names of clouds above their
-- floor, paths and hosts of one machine.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local function set(words)
  local out = {}
  for word in words:gmatch("%S+") do out[word] = true end
  return out
end

-- These lists are split so that this file is not its own finding.
local BANNED = set "sprintf vsprintf strcpy stpcpy strcat strtok atoi atol atof rand srand gets alloca system popen"
local NOTES = set("TO" .. "DO FIX" .. "ME X" .. "XX HA" .. "CK")
local HELD = "place" .. "holder"
local UNFINISHED = { "st" .. "ub", "st" .. "ubs", "st" .. "ubbed", HELD, HELD .. "s", "not yet " .. "implemented" }
local MACHINE = { "/wo" .. "rk/", "/fa" .. "rm/", "/tmp/" .. "h/", "/tmp/" .. "hub", "registry%." .. "[%w%-]+%.%w+",
  "deb%." .. "debian%.org", "%.exam" .. "ple/" .. "debian" }

local banned, notes, unfinished, clouds, machine, endings = {}, {}, {}, {}, {}, {}
local function add(list, ...) list[#list + 1] = string.format(...) end

for _, path in ipairs(lib.files("engine", "%.[ch]$")) do
  lib.calls(lib.code_of(lib.read(path)), function(name, n)
    if BANNED[name] then add(banned, "%s:%d: %s", path, n, name) end
  end)
end

--- A provider's name may stand on its own floor, in the registry, in the sandbox, in tests, scripts and documents.
local function may_name_clouds(path)
  return not (path:match("^engine/") or path:match("^lua/moontide/")) or path:match("^engine/provider/easemob/")
    or path:match("^engine/provider/rongcloud/") or path:match("^engine/sandbox/") or path:match("^engine/proto/")
    or path == "engine/provider/registry.c" or path == "engine/FLOORS.lua"
end
local FLOORS_ABOVE = { "engine/policy/", "engine/jobs/", "engine/script/", "engine/app/", "lua/moontide/" }
local function above(path)
  for _, folder in ipairs(FLOORS_ABOVE) do if path:sub(1, #folder) == folder then return true end end
  return false
end

local function has_word(line, word)
  return (" " .. line .. " "):find("[^%w_]" .. word .. "[^%w_]") ~= nil
end

local function check_line(path, n, line)
  for word in line:gmatch("%f[%w_][%u]+%f[^%w_]") do
    if NOTES[word] then add(notes, "%s:%d: %s", path, n, word) end
  end
  local low = line:lower()
  for _, word in ipairs(UNFINISHED) do
    -- the attribute of an HTML input is no unfinished work
    if low:find(word, 1, true) and has_word((low:gsub(HELD .. "%s*=", "")), word) then
      add(unfinished, "%s:%d: %s", path, n, word)
    end
  end
  if above(path) and not may_name_clouds(path) and (low:find("easemob", 1, true) or low:find("rongcloud", 1, true)) then
    -- the name of a document about the wire is no dependency
    local rest = low:gsub("easemob[%w%-]*%.md", ""):gsub("rongcloud[%w%-]*%.md", "")
    if rest:find("easemob", 1, true) or rest:find("rongcloud", 1, true) then
      add(clouds, "%s:%d: %s", path, n, line:match("^%s*(.-)%s*$"):sub(1, 90))
    end
  end
  for _, pattern in ipairs(MACHINE) do
    if line:find(pattern) then add(machine, "%s:%d: %s", path, n, line:match(pattern)) end
  end
  if line:find("[ \t\r]$") and not path:match("%.md$") then add(endings, "%s:%d: blank at the end", path, n) end
end

local TEXT = { c = 1, h = 1, lua = 1, md = 1, sh = 1, js = 1, json = 1, proto = 1, yml = 1 }
for _, path in ipairs(lib.files(".", "^[^.]")) do
  local ending = path:match("%.(%w+)$")
  local plain = path:match("^[%u]%w*$") or path:match("/run$")
  if (TEXT[ending or ""] or plain) and not path:match("^tests/fuzz/corpus/") and not path:match("^tests/data/") then
    local text = lib.read(path)
    for n, line in lib.lines(text) do check_line(path, n, line) end
    if text:sub(-1) ~= "\n" and text ~= "" then add(endings, "%s: no newline at the end", path) end
  end
end

lib.verdict("no dangerous calls of the C library", banned)
lib.verdict("no notes to oneself", notes)
lib.verdict("nothing is left unfinished", unfinished)
lib.verdict("no cloud is named above its floor", clouds)
lib.verdict("no path or host of one machine", machine)
lib.verdict("lines and files end as they should", endings)
lib.finish()
