-- memory.lua PID TEXT: how often the memory of a process holds the text.
local pid, text = arg[1], arg[2]
local memory, n = io.open("/proc/" .. pid .. "/mem", "rb"), 0
if not memory then
  print "unreadable"
  os.exit(0)
end
for line in io.lines("/proc/" .. pid .. "/maps") do
  local from, to = line:match("^(%x+)%-(%x+) r")
  if from and not line:find("[v", 1, true) then
    local at, last = tonumber(from, 16), tonumber(to, 16)
    while at < last do
      local piece = memory:seek("set", at) and memory:read(math.min(last - at, 1 << 20)) or ""
      local place = 1
      while true do
        place = piece:find(text, place, true)
        if not place then break end
        n, place = n + 1, place + 1
      end
      at = at + (1 << 20)
    end
  end
end
print(n)
