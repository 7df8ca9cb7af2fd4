-- What is generated and kept in the repository is what would be generated now, and every API record is documented,
-- bound and tried: lua/api/tools/records.lua check says so.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local tool = "lua/api/tools/records.lua"
if not lib.exists(tool) or not lib.read(tool):find('"check"', 1, true) then
  lib.skip("generated files are fresh", tool .. " has no mode check")
else
  local text, ok = lib.capture("cd " .. lib.quote(lib.root) .. " && lua5.4 " .. tool .. " check")
  local found = {}
  if not ok then
    for line in text:gmatch("[^\n]+") do if not line:match("^ok ") then found[#found + 1] = line end end
    if #found == 0 then found[1] = "it failed without a word" end
  end
  lib.verdict("generated files are fresh, records are whole", found)
end
lib.finish()
