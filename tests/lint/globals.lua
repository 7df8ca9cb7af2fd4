-- No mutable state at file scope outside base's seams and log: every writable symbol in the release objects is looked
-- at. Constants with addresses inside (.data.rel.ro) are constants.
-- lua5.4 tests/lint/globals.lua [ROOT]: ROOT/build/release/obj holds the objects.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

-- An object is named after its source: room_file.o (premake5.lua).
local function is_seam(object) return object:match("^base_") ~= nil end

local folder = lib.root .. "/build/release/obj"
local text = lib.capture("find " .. lib.quote(folder) .. " -path '*/engine/*.o' -o -path '*/moontide/*.o'")
local objects, writable = 0, {}
for path in text:gmatch("[^\n]+%.o") do
  objects = objects + 1
  local object = path:match("([^/]+)%.o$")
  for line in lib.capture("objdump -t " .. lib.quote(path)):gmatch("[^\n]+") do
    local section, name = line:match("%sO%s+(%S+)%s+%x+%s+(%S.*)$")
    if section and not is_seam(object) then
      local writes = section:match("^%.data") or section:match("^%.bss") or section:match("^%.t") or
        section == "*COM*"
      if writes and not section:match("^%.data%.rel%.ro") and not section:match("^%.text") then
        writable[#writable + 1] = ("%s: %s in %s"):format(object, name, section)
      end
    end
  end
end
if objects == 0 then
  lib.verdict("release objects are there to look at", { "none below build/release/obj: run make first" })
end
lib.verdict("no mutable state at file scope outside base", writable)
lib.finish()
