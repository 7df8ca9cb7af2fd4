-- What is generated and kept in the repository is what would be generated now, and every API record is documented,
-- bound and tried: lua/api/tools/records.lua check says so.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local text = lib.capture("cd " .. lib.quote(lib.root) .. " && lua5.4 lua/api/tools/records.lua check")
local found, results, planned = {}, 0, nil
for line in text:gmatch("[^\n]+") do
  if line:match("^ok ") or line:match("^not ok ") then results = results + 1 end
  if line:match("^not ok ") then found[#found + 1] = line:sub(#"not ok " + 1) end
  planned = planned or tonumber(line:match("^1%.%.(%d+)$"))
end
if results == 0 or planned ~= results then found[#found + 1] = "the check itself broke off: " .. text:sub(-300) end
lib.verdict(("%d demands on the API records and what is made from them are met"):format(results), found)
lib.finish()
