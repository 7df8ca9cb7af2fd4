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
    -- address, seven flags (O: an object, d: a section's own symbol), section, size, name
    local flags, section, name = line:match("^%x+ (.......) (%S+)%s+%x+%s+(%S.*)$")
    local thread = section and section:match("^%.t[bd]") and not flags:find("d", 1, true)
    if section and not is_seam(object) and (flags:find("O", 1, true) or thread) then
      local writes = section:match("^%.data") or section:match("^%.bss") or section == "*COM*" or thread
      if writes and not section:match("^%.data%.rel%.ro") then
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
