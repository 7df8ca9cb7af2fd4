-- What the rules of this folder share: TAP, the list of files, C source with comments and texts blanked.
-- A rule is a program: lua5.4 tests/lint/<rule>.lua [ROOT]. It prints one "ok" or "not ok" for each of its demands,
-- with the places below as comments, and ends with status 1 if one is not met. There are no exception lists.
local lib = { root = arg and arg[1] or "." }

local count, failed = 0, 0

--- One result. complaints: a list of texts, empty when all is well.
function lib.verdict(name, complaints)
  count = count + 1
  if #complaints == 0 then
    print(("ok %d - %s"):format(count, name))
    return
  end
  failed = failed + 1
  print(("not ok %d - %s: %d found"):format(count, name, #complaints))
  for i, text in ipairs(complaints) do
    if i > 40 then print("  # … and " .. #complaints - 40 .. " more"); break end
    print("  # " .. text)
  end
end

function lib.skip(name, reason)
  count = count + 1
  print(("ok %d - %s # SKIP %s"):format(count, name, reason))
end

function lib.finish()
  print("1.." .. count)
  os.exit(failed == 0)
end

function lib.quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

--- The output of a command (standard error too), and whether it ended with status 0.
function lib.capture(command)
  local pipe = assert(io.popen("exec 2>&1; " .. command))
  local text = pipe:read("a")
  local ok = pipe:close()
  return text, ok == true
end

--- The project's files below the given folders, as paths from the root; pattern is a Lua pattern of the path.
function lib.files(folders, pattern)
  local out = {}
  local command = "cd " .. lib.quote(lib.root) .. " && find " .. folders ..
    " \\( -name .git -o -name node_modules -o -path ./build -o -path build -o -path '*/bench/results' \\) -prune" ..
    " -o -type f -print 2>/dev/null | LC_ALL=C sort"
  local pipe = assert(io.popen(command))
  for path in pipe:lines() do
    path = path:gsub("^%./", "")
    if path:match(pattern or ".") then out[#out + 1] = path end
  end
  pipe:close()
  return out
end

function lib.read(path)
  local file = assert(io.open(lib.root .. "/" .. path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

function lib.exists(path)
  local file = io.open(lib.root .. "/" .. path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- Lines with their numbers.
function lib.lines(text)
  local n = 0
  local next_line = (text .. (text:sub(-1) == "\n" and "" or "\n")):gmatch("([^\n]*)\n")
  return function()
    local line = next_line()
    n = n + 1
    if line then return n, line end
  end
end

--- C source in which comments and the insides of texts are blanks, with its lines kept.
function lib.code_of(text)
  local out, at = {}, 1
  local function blank(part) return (part:gsub("[^\n]", " ")) end
  while true do
    local from, _, mark = text:find("([/\"'])", at)
    if not from then break end
    out[#out + 1] = text:sub(at, from - 1)
    local stop
    if mark == "/" then
      local two = text:sub(from, from + 1)
      if two == "/*" then
        _, stop = text:find("*/", from + 2, true)
      elseif two == "//" then
        stop = (text:find("\n", from, true) or #text + 1) - 1
      end
      stop = stop or (two:match("^/[*/]$") and #text or from)
      out[#out + 1] = stop == from and "/" or blank(text:sub(from, stop))
    else
      local place = from + 1
      while true do
        local c = text:sub(place, place)
        if c == "\\" then place = place + 2
        elseif c == mark or c == "" or c == "\n" then break
        else place = place + 1 end
      end
      stop = math.min(place, #text)
      out[#out + 1] = mark .. blank(text:sub(from + 1, stop - 1)) .. text:sub(stop, stop)
    end
    at = stop + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

--- Calls report(name, line_number) for each function-like use of a name in C code, members of structs left out.
function lib.calls(code, report)
  for n, line in lib.lines(code) do
    for before, name in line:gmatch("([^%w_]?)([%a_][%w_]*)%s*%(") do
      local at = line:find(name .. "%s*%(")
      local arrow = at and line:sub(1, at - 1):match("%->%s*$")
      if before ~= "." and not arrow then report(name, n) end
    end
  end
end

return lib
