-- C is formatted by the repository's .clang-format.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local quoted = {}
for i, path in ipairs(lib.files("engine tests", "%.[ch]$")) do quoted[i] = lib.quote(path) end
local text, ok = lib.capture("cd " .. lib.quote(lib.root) .. " && clang-format --dry-run -Werror " ..
  table.concat(quoted, " "))
local found, seen = {}, {}
for path, line in text:gmatch("([^\n:]+):(%d+):%d+: error: code should be clang%-formatted") do
  if not seen[path] then found[#found + 1] = ("%s:%s (clang-format -i)"):format(path, line) end
  seen[path] = true
end
if not ok and #found == 0 then found[1] = text:sub(1, 400) end
lib.verdict("C is formatted", found)
lib.finish()
