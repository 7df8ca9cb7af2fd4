-- generate.lua list: the grants of the API records. generate.lua check: every record stands in one list (TAP lines from
-- number arg[2] on). generate.lua MODE GRANT CLOUD STATS: a script.
local records = dofile "lua/api/moontide.lua"
local lists = dofile "tests/grants/calls.lua"

local function names_of(grant, mode)
  local names = {}
  for _, record in ipairs(records) do
    local entry = lists.calls[record.name]
    -- what takes files as well is refused without them; what a message is needed for cannot even be tried
    local also = mode == "stated" and grant == "files" and entry and entry.needs == "files" and not record.name:find "^message"
    if entry and (record.grant == grant or also) then names[#names + 1] = record.name end
  end
  return names
end

local grants, all = {}, {}
for _, record in ipairs(records) do
  if record.grant and not grants[record.grant] then
    grants[record.grant] = true
    grants[#grants + 1] = record.grant
    all[#all + 1] = ("%q"):format(record.grant)
  end
end

local function list() for _, grant in ipairs(grants) do print(grant) end end

local function check(n)
  local known = {}
  for _, record in ipairs(records) do
    local name = record.name
    known[name] = true
    local ok = record.grant and lists.calls[name] and not lists.harmless[name]
      or not record.grant and lists.harmless[name] and not lists.calls[name]
    print(("%s %d - %s %s"):format(ok and "ok" or "not ok", n, name, record.grant and "is tried with and without its grant"
      or "needs no grant, and it is said why"))
    n = n + 1
  end
  for _, of in pairs(lists) do
    for name in pairs(of) do
      if not known[name] then
        print(("not ok %d - %s is a function"):format(n, name))
        n = n + 1
      end
    end
  end
end

local function text_of(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function script(mode, grant, cloud, stats)
  local names = {}
  for _, name in ipairs(names_of(grant, mode)) do names[#names + 1] = ("%q"):format(name) end
  print(("local LISTS = (function() %s end)()"):format(text_of "tests/grants/calls.lua"))
  print(("local MODE, GRANT, CLOUD, STATS = %q, %q, %q, %q"):format(mode, grant, cloud, stats))
  print(("local ALL = { %s }"):format(table.concat(all, ", ")))
  print(("local NAMES = { %s }"):format(table.concat(names, ", ")))
  print(text_of "tests/grants/permissions.lua")
end

if arg[1] == "list" then list() elseif arg[1] == "check" then check(tonumber(arg[2])) else script(table.unpack(arg)) end
