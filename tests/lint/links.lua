-- Relative links of the documents lead somewhere, to headings too.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

--- The names that headings of a page get, as the usual renderers make them.
local function headings(text)
  local out, fenced = {}, false
  for _, line in lib.lines(text) do
    if line:match("^```") then fenced = not fenced end
    local title = not fenced and line:match("^#+%s+(.-)%s*#*$")
    if title then
      local slug = title:gsub("%[([^%]]*)%]%b()", "%1"):lower():gsub("[`*!-,%./:-@%[-^{-~]", ""):gsub("%s", "-")
      out[slug] = true
    end
  end
  return out
end

local dead, lost = {}, {}
for _, path in ipairs(lib.files(".", "%.md$")) do
  local folder = path:match("^(.*/)") or ""
  local fenced = false
  for n, line in lib.lines(lib.read(path)) do
    if line:match("^%s*```") then fenced = not fenced end
    if not fenced then
      for target in line:gsub("`[^`]*`", ""):gmatch("%]%(([^%)%s]+)[^%)]*%)") do
        if not target:match("^%a[%w+.-]*:") then
          local file, anchor = target:match("^([^#]*)#?(.*)$")
          local whole = file == "" and path or folder .. file
          local probe = io.open(lib.root .. "/" .. whole)
          if probe then probe:close() end
          if not probe then
            dead[#dead + 1] = ("%s:%d: %s"):format(path, n, target)
          elseif anchor ~= "" and whole:match("%.md$") and not headings(lib.read(whole))[anchor] then
            lost[#lost + 1] = ("%s:%d: %s"):format(path, n, target)
          end
        end
      end
    end
  end
end
lib.verdict("links lead to files", dead)
lib.verdict("links lead to headings", lost)
lib.finish()
