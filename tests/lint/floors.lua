-- The architecture: engine/FLOORS.lua says which room may include which, and who owns a foreign header.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local floors = assert(loadfile(lib.root .. "/engine/FLOORS.lua"))()
local may, owners, rooms = floors.rooms, floors.owners, {}
for room in pairs(may) do rooms[#rooms + 1] = room end
-- provider/easemob before provider
table.sort(rooms, function(a, b) if #a ~= #b then return #a > #b end return a < b end)

local function room_of(path)
  for _, room in ipairs(rooms) do if path:sub(1, #room + 1) == room .. "/" then return room end end
end
local function has(list, x)
  for _, value in ipairs(list or {}) do if value == x then return true end end
  return false
end

local homeless, relative, upward, private, foreign, missing = {}, {}, {}, {}, {}, {}
local function add(list, ...) list[#list + 1] = string.format(...) end

--- Everything a header of this system may be called that no room owns: the C library and POSIX.
local libc = {}
for name in ([[assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h setjmp.h
  signal.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h
  strings.h tgmath.h threads.h time.h uchar.h wchar.h wctype.h unistd.h fcntl.h dirent.h pthread.h poll.h netdb.h
  termios.h libgen.h getopt.h glob.h fnmatch.h langinfo.h sched.h semaphore.h utime.h
  sanitizer/asan_interface.h]]):gmatch("%S+") do
  libc[name] = true
end

local function check_include(path, n, from, target)
  if target:find("..", 1, true) then return add(relative, "%s:%d: %s", path, n, target) end
  local to = room_of(target)
  if to then
    if to ~= from then
      if not has(may[from], to) then add(upward, "%s:%d: %s may not include %s", path, n, from, target) end
      if target:match("_int%.h$") then add(private, "%s:%d: %s", path, n, target) end
    end
    if not lib.exists("engine/" .. target) then add(missing, "%s:%d: %s", path, n, target) end
  elseif owners[target] then
    if not has(owners[target], from) then add(foreign, "%s:%d: %s is not %s's", path, n, target, from) end
  elseif not libc[target] and not target:match("^sys/") and not target:match("^net") and not target:match("^arpa/") then
    add(foreign, "%s:%d: %s has no owner in FLOORS.lua", path, n, target)
  end
end

for _, path in ipairs(lib.files("engine", "%.[ch]$")) do
  local from = room_of(path:sub(#"engine/" + 1))
  if not from then
    add(homeless, "%s", path)
  else
    for n, line in lib.lines(lib.read(path)) do
      local target = line:match('^%s*#%s*include%s*["<]([^">]+)[">]')
      if target then check_include(path, n, from, target) end
    end
  end
end

-- The registry names each provider in one line and needs no header of theirs; anything else comes from a header.
local declared = {}
for _, path in ipairs(lib.files("engine", "%.[ch]$")) do
  local code = lib.code_of(lib.read(path))
  for n, line in lib.lines(code) do
    local provider = path:match("^engine/provider/") and line:match("^extern const struct mt_provider mt_provider_")
    if path:match("%.c$") and line:match("^extern%s") and not provider then
      add(declared, "%s:%d: %s", path, n, line)
    end
  end
end

-- The allowed graph itself has no cycle and names only rooms that it knows.
local cycles, state = {}, {}
local function visit(room, trail)
  if state[room] == "done" then return end
  if state[room] == "open" then return add(cycles, "cycle: %s", trail) end
  if not may[room] then return add(cycles, "unknown room: %s", trail) end
  state[room] = "open"
  for _, lower in ipairs(may[room]) do visit(lower, trail .. " > " .. lower) end
  state[room] = "done"
end
for _, room in ipairs(rooms) do visit(room, room) end
for header, list in pairs(owners) do
  for _, room in ipairs(list) do
    if not may[room] then add(cycles, "%s is owned by an unknown room: %s", header, room) end
  end
end

lib.verdict("every file is in a room", homeless)
lib.verdict("no relative includes", relative)
lib.verdict("rooms include lower rooms only", upward)
lib.verdict("private headers stay in their room", private)
lib.verdict("foreign headers only with their owner", foreign)
lib.verdict("every included header exists", missing)
lib.verdict("declarations come from headers", declared)
lib.verdict("the allowed graph has no cycle", cycles)
lib.finish()
