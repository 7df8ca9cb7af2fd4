-- luacheck over all Lua: the standard library, the API records, the scripts, the tests.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local folders = {}
for _, folder in ipairs { "lua", "scripts", "tests", "engine" } do
  if #lib.files(folder, "%.lua$") > 0 then folders[#folders + 1] = folder end
end
local text, ok = lib.capture("cd " .. lib.quote(lib.root) .. " && luacheck --no-color --codes --formatter plain -q " ..
  table.concat(folders, " "))
local found = {}
for line in text:gmatch("[^\n]+:%d+:%d+: [^\n]+") do found[#found + 1] = line end
if not ok and #found == 0 then found[1] = text:sub(1, 400) end
lib.verdict("luacheck is content", found)
lib.finish()
