-- Compares docs/capabilities.md with what capabilities_said.lua said (standard input): a line of the table for each
-- capability, with the same words in the column of that cloud.
local page = assert(io.open("docs/capabilities.md")):read "a"
local columns, rows, problems, n = {}, {}, {}, 0
for line in page:gmatch "[^\n]+" do
  local cells = {}
  for cell in line:gmatch "|%s*([^|]-)%s*%f[|]" do cells[#cells + 1] = cell end
  if cells[1] == "capability" then
    for i, cell in ipairs(cells) do columns[cell:lower()] = i end
  elseif cells[1] and cells[1]:match "^`" then
    rows[cells[1]:gsub("`", "")] = cells
  end
end
local function field(line, key) return line:match('"' .. key .. '":"(.-)"[,}]') end
for line in io.lines() do
  local name, can = field(line, "capability"), field(line, "can")
  local meaning, why = field(line, "meaning"), field(line, "why")
  if name then
    n = n + 1
    local words = why and can .. ": " .. why or can
    local row, column = rows[name], columns[field(line, "provider")]
    if not row or not column then
      problems[#problems + 1] = name .. " is not there"
    elseif row[2] ~= meaning or row[column] ~= words then
      problems[#problems + 1] = ("%s: '%s', '%s'"):format(name, meaning, words)
    end
    rows[name] = nil
  end
end
for name in pairs(rows) do problems[#problems + 1] = name .. " is not known any more" end
print(("%d capabilities, %d differ%s"):format(n, #problems, problems[1] and ": " .. table.concat(problems, "; ") or ""))
