-- clang-tidy over the engine with the checks of .clang-tidy and the flags of the release build. It is slow, so that a
-- file that passed is not looked at again while it, what it includes, the checks and the flags stay the same
-- (build/tidy). lua5.4 tests/lint/tidy.lua [ROOT [FILE...]]
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local sources = {}
for i = 2, #arg do sources[#sources + 1] = arg[i] end
if #sources == 0 then sources = lib.files("engine", "%.c$") end
local here = "cd " .. lib.quote(lib.root) .. " && "

local function names(list)
  local out = {}
  for i, path in ipairs(list) do out[i] = lib.quote(path) end
  return table.concat(out, " ")
end

--- What each source includes below engine and build/gen, itself first: { source = { path, … } }
local function includes_of(list)
  local out = {}
  local text = lib.capture(here .. "flags=$(grep -v '^-[fW]' build/compile_flags.txt | tr '\\n' ' ') && cd build && " ..
    "for f in " .. names(list) .. "; do printf '@%s\\n' \"$f\"; ${CC:-cc} $flags -MM -MG ../\"$f\"; done")
  local current
  for line in text:gmatch("[^\n]+") do
    if line:sub(1, 1) == "@" then
      current = {}
      out[line:sub(2)] = current
    elseif current then
      for path in line:gmatch("[%w_%./%-]+%.[ch]%f[^%w]") do
        current[#current + 1] = path:match("^%.%./(.*)$") or "build/" .. path
      end
    end
  end
  return out
end

local function sums_of(list)
  local sums = {}
  for sum, path in lib.capture(here .. "sha256sum " .. names(list)):gmatch("(%x+)  ([^\n]+)") do sums[path] = sum end
  return sums
end

local function cache_path(source) return "build/tidy/" .. source:gsub("/", "_") .. ".passed" end

lib.capture(here .. "mkdir -p build/tidy")
local includes = includes_of(sources)
local all, known = { ".clang-tidy", "build/compile_flags.txt" }, {}
for _, source in ipairs(sources) do
  for _, path in ipairs(includes[source] or {}) do
    if not known[path] then all[#all + 1] = path end
    known[path] = true
  end
end
local sums = sums_of(all)
local version = lib.capture("clang-tidy --version | grep -i version")
local keys, todo = {}, {}
for _, source in ipairs(sources) do
  local parts = { version, sums[all[1]] or "none", sums[all[2]] or "none" }
  for _, path in ipairs(includes[source] or {}) do parts[#parts + 1] = path .. " " .. (sums[path] or "none") end
  keys[source] = table.concat(parts, "\n")
  local file = io.open(lib.root .. "/" .. cache_path(source), "rb")
  local passed = file and file:read("a")
  if file then file:close() end
  if passed ~= keys[source] then todo[#todo + 1] = source end
end

-- Two at a time; each writes its report beside the cache and its status as the last line.
local jobs = os.getenv("MT_JOBS") or "2"
if #todo > 0 then
  lib.capture(here .. "printf '%s\\n' " .. names(todo) .. " | xargs -P " .. jobs .. " -n 1 sh -c " ..
    lib.quote([[out=build/tidy/$(printf '%s' "$1" | tr / _).log
      clang-tidy -p build --quiet "$1" >"$out" 2>&1; echo "status $?" >>"$out"]]) .. " tidy")
end
local found = {}
for _, source in ipairs(todo) do
  local report = lib.capture(here .. "cat build/tidy/" .. lib.quote((source:gsub("/", "_"))) .. ".log")
  if report:match("status 0%s*$") then
    local file = assert(io.open(lib.root .. "/" .. cache_path(source), "wb"))
    file:write(keys[source])
    file:close()
  else
    local any = false
    for line in report:gmatch("[^\n]*: error: [^\n]*") do
      found[#found + 1] = (line:gsub("^.*/engine/", "engine/"))
      any = true
    end
    if not any then found[#found + 1] = source .. ": " .. report:sub(1, 300) end
  end
end
lib.verdict(("clang-tidy is content with %d files (%d looked at now)"):format(#sources, #todo), found)
lib.finish()
