-- How long and how tangled things may be: a function 100 lines and complexity 20, a .c file 800 lines, a public
-- header 250. Tests keep the limits too.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local FUNCTION_LINES, COMPLEXITY, FILE_LINES, HEADER_LINES = 100, 20, 800, 250

local function line_count(path)
  local _, n = lib.read(path):gsub("\n", "")
  return n
end

local sources = lib.files("engine tests", "%.c$")
local long_files, long_headers, long_functions, tangled = {}, {}, {}, {}
for _, path in ipairs(sources) do
  local n = line_count(path)
  if n > FILE_LINES then long_files[#long_files + 1] = ("%s: %d lines"):format(path, n) end
end
for _, path in ipairs(lib.files("engine", "%.h$")) do
  local n = line_count(path)
  if n > HEADER_LINES and not path:match("_int%.h$") then
    long_headers[#long_headers + 1] = ("%s: %d lines"):format(path, n)
  end
end

-- pmccabe: modified complexity, complexity, statements, first line, lines, file(line): name
local quoted = {}
for i, path in ipairs(sources) do quoted[i] = lib.quote(path) end
local text = lib.capture("cd " .. lib.quote(lib.root) .. " && pmccabe " .. table.concat(quoted, " "))
local functions, unread = 0, {}
for line in text:gmatch("[^\n]+") do
  local modified, lines, name = line:match("^(%d+)\t%d+\t%d+\t%d+\t(%d+)\t(.+)$")
  if modified then
    functions = functions + 1
    if tonumber(lines) > FUNCTION_LINES then
      long_functions[#long_functions + 1] = ("%s: %s lines"):format(name, lines)
    end
    if tonumber(modified) > COMPLEXITY then tangled[#tangled + 1] = ("%s: complexity %s"):format(name, modified) end
  else
    unread[#unread + 1] = line
  end
end
if functions == 0 then unread[#unread + 1] = "pmccabe reported no function at all" end

lib.verdict(("no function over %d lines"):format(FUNCTION_LINES), long_functions)
lib.verdict(("no function over complexity %d"):format(COMPLEXITY), tangled)
lib.verdict(("no .c file over %d lines"):format(FILE_LINES), long_files)
lib.verdict(("no public header over %d lines"):format(HEADER_LINES), long_headers)
lib.verdict("every source could be measured", unread)
lib.finish()
