-- Test dependencies are pinned by version and hash, and fetched from whatever registry npm is configured with: a lock
-- file names no host ("resolved").
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local hosts, loose, open_ended = {}, {}, {}
for _, path in ipairs(lib.files(".", "package%-lock%.json$")) do
  local text = lib.read(path)
  for n, line in lib.lines(text) do
    if line:find('"resolved"', 1, true) then hosts[#hosts + 1] = ("%s:%d"):format(path, n) end
  end
  for name, body in text:gmatch('"(node_modules/[^"]+)":%s*(%b{})') do
    if not body:find('"integrity"%s*:%s*"sha512%-') then loose[#loose + 1] = path .. ": " .. name end
  end
end
for _, path in ipairs(lib.files(".", "package%.json$")) do
  if lib.exists((path:gsub("package%.json$", "package-lock.json"))) then
    local wanted = lib.read(path):match('"dependencies"%s*:%s*(%b{})') or ""
    for name, version in wanted:gmatch('"([^"]+)"%s*:%s*"([^"]+)"') do
      if not version:match("^%d+%.%d+%.%d+$") and not version:match("^npm:[%w@/%-]+@%d+%.%d+%.%d+$") then
        open_ended[#open_ended + 1] = ("%s: %s %s"):format(path, name, version)
      end
    end
  else
    open_ended[#open_ended + 1] = path .. ": no package-lock.json beside it"
  end
end
lib.verdict("lock files name no host", hosts)
lib.verdict("every package has its hash", loose)
lib.verdict("versions are exact", open_ended)
lib.finish()
