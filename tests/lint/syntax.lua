-- Shell, JavaScript, JSON and Lua files can be read by their own programs.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local function check(name, files, command)
  local found = {}
  for _, path in ipairs(files) do
    local text, ok = lib.capture("cd " .. lib.quote(lib.root) .. " && " .. command:format(lib.quote(path)))
    if not ok then found[#found + 1] = path .. ": " .. (text:match("[^\n]+") or "refused") end
  end
  lib.verdict(name, found)
end

check("shell scripts can be read", lib.files(".", "%.sh$"), "sh -n %s")
check("Lua files can be read", lib.files(".", "%.lua$"), "luac5.4 -p %s")
if os.execute("command -v node >/dev/null 2>&1") then
  check("JavaScript can be read", lib.files("tests", "%.js$"), "node --check %s")
  check("JSON can be read", lib.files("tests", "package[%w%-]*%.json$"),
    "node -e 'JSON.parse(require(\"fs\").readFileSync(process.argv[1], \"utf8\"))' %s")
else
  lib.skip("JavaScript can be read", "there is no node")
end
lib.finish()
