-- R22: a second of computing is no longer than 1.2 s wherever it is spent, in Lua or in C; and what one cannot do, the
-- task beside it still can.
local moontide = require "moontide"
local function check(name, ok, why)
  print((ok and "pass " or "fail ") .. "limits: " .. name .. (ok and "" or ": " .. tostring(why)))
end
local json = moontide.json
local mode, name_of = ... -- how many ms: 1200, more where a sanitizer is in between; or "names", or "one" and its name
local MOST = tonumber(mode)
local huge = 1 << 60
local endless = setmetatable({}, { __len = function() return huge end, __index = rawlen, __newindex = rawequal })
local wide = setmetatable({}, { __len = function() return 1 << 30 end, __index = rawlen })
local ones = table.pack((","):rep(20):byte(1, -1))
local function again(f, ...) while true do f(...) end end

local hostile = {
  ["a loop"] = function() while true do end end,
  ["table.move of nothing"] = function() table.move({}, 1, huge, 2) end,
  ["table.move downwards"] = function() table.move({}, 1, huge, 0) end,
  ["table.move into another"] = function() table.move(endless, 1, huge, 1, setmetatable({}, { __newindex = rawequal })) end,
  ["table.insert in front"] = function() table.insert(endless, 1, "x") end,
  ["table.remove in front"] = function() table.remove(endless, 1) end,
  ["table.concat of what C makes"] = function() again(table.concat, wide, "", 1, 1 << 24) end,
  ["table.sort without a comparison"] = function()
    local t = {}
    for i = 1, 400000 do t[i] = (i * 7919) % 400009 end
    while true do table.sort(t) table.sort(t, math.ult) end
  end,
  ["table.sort that C compares"] = function() table.sort(wide, rawequal) end,
  ["table.sort with a comparison that loops"] = function() table.sort({ 3, 2, 1 }, function() while true do end end) end,
  ["table.unpack"] = function() again(pcall, table.unpack, {}, 1, 200000) end,
  ["string.rep of nothing"] = function() while true do local _ = (""):rep(huge) .. (""):rep(huge, "") end end,
  ["string.rep"] = function() while true do local _ = ("x"):rep(20000000) end end,
  ["string.format"] = function() again(string.format, ("%99.99f"):rep(20), table.unpack(ones)) end,
  ["string.format of what is long"] = function() local s = ("x"):rep(10000000) while true do string.format("%s", s) end end,
  ["string.pack"] = function() again(string.packsize, ("Xi8"):rep(2000000)) end,
  ["a pattern that goes back"] = function() string.find(("a"):rep(60), ("a?"):rep(60) .. ("a"):rep(60) .. "b") end,
  ["a pattern in gsub"] = function() string.gsub(("a"):rep(5000), ".-.-.-b", "") end,
  ["a plain text that is nearly found"] = function()
    local s, what = ("a"):rep(10000000), ("a"):rep(5000000) .. "b"
    while true do s:find(what, 1, true) end
  end,
  ["utf8"] = function() local s = ("\u{20ac}"):rep(3000000) while true do utf8.len(s) utf8.offset(s, 2999999) end end,
  ["os.date"] = function() again(os.date, ("%c"):rep(500)) end,
  ["load"] = function() local s = (";"):rep(4000000) while true do load(s) end end,
  ["json.encode"] = function()
    local t = {}
    for i = 1, 200000 do t[i] = { i } end
    again(json.encode, t)
  end,
  ["json.decode"] = function() again(json.decode, "[" .. ("1,"):rep(200000) .. "1]") end,
  ["what a store holds"] = function() for i = 1, huge do moontide.store["k" .. i % 100] = { i } end end,
  ["the options of a call"] = function() again(pcall, moontide.progress, setmetatable({}, { __index = function() end })) end,
}

if mode == "one" then hostile[name_of]() end

local names = {}
for name in pairs(hostile) do names[#names + 1] = name end
table.sort(names)
if mode == "names" then
  print(table.concat(names, "\n"))
  return
end
local longest, whose = 0, nil
for _, name in ipairs(names) do
  local took, fault
  for _ = 1, 3 do -- the machine may be busy: the best of three
    local start = moontide.now()
    local _, err = moontide.try(function() moontide.spawn(hostile[name]):join() end)
    took, fault = moontide.now() - start, err
    if took <= MOST then break end
  end
  check(("%s is ended"):format(name), fault and fault.code == "script.cpu", fault and fault.code .. " " .. fault.message)
  check(("%s within %.1f s"):format(name, MOST / 1000), took <= MOST, took)
  if took > longest then longest, whose = took, name end
end
print(("note a slice of 1 s: %d tries, the longest %d ms (%s)"):format(#names, longest, whose))
