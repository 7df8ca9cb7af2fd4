-- Random patterns on random texts: what Lua itself prints, a script must print. same/patterns.lua SEED N.
local seed = tonumber((...)) or 1
local n = tonumber((select(2, ...))) or 20000
local state = seed
local function rnd(k)
  state = state * 6364136223846793005 + 1442695040888963407
  return (state >> 33) % k
end
local atoms = { "a", "b", "c", ".", "%a", "%d", "%s", "%w", "%A", "[abc]", "[^ab]", "[a-c]", "[%a_]", "[]x]", "[^]]",
  "[a-]", "(", ")", "()", "%1", "%2", "%b()", "%f[%w]", "%f[%A]", "$", "^",
  "-", "%.", "%%", "1", " ", "x", "%g", "%p", "[%w-z]", "\0", "%x", "[\0-\31]", "é" }
local quants = { "", "", "", "", "*", "+", "-", "?" }
local chars = { "a", "b", "c", "a", "b", "1", "2", " ", ".", "(", ")", "x", "_", "]", "-", "\0", "é", "$", "^" }
local function make(list, k)
  local t = {}
  for i = 1, k do t[i] = list[rnd(#list) + 1] end
  return table.concat(t)
end
local function pattern()
  local t = {}
  if rnd(6) == 0 then t[1] = "^" end
  for _ = 1, rnd(7) do t[#t + 1] = atoms[rnd(#atoms) + 1] .. quants[rnd(#quants) + 1] end
  if rnd(6) == 0 then t[#t + 1] = "$" end
  return table.concat(t)
end
local function show(...)
  local t = table.pack(...)
  for i = 1, t.n do t[i] = (type(t[i]) == "string" and ("%q"):format(t[i]) or tostring(t[i])) end
  return table.concat(t, ",", 1, t.n)
end
local function res(ok, ...) return ok and show(...) or "error" end
local reps = { "<%0>", "%1", "", "x%%y", "%2-%1", "é" }
local function all(s, p)
  local t = {}
  for a, b in string.gmatch(s, p) do
    t[#t + 1] = show(a, b)
    if #t > 40 then break end
  end
  return table.concat(t, ";")
end
local function pick(a, b)
  if a == "a" then return false end
  return b and "B" or nil
end
for i = 1, n do
  local p, s = pattern(), make(chars, rnd(18))
  local init = rnd(5) == 0 and rnd(20) - 9 or nil
  local rep, most = reps[rnd(#reps) + 1], rnd(3) == 0 and rnd(4) or nil
  print(i, ("%q"):format(p), ("%q"):format(s), res(pcall(string.find, s, p, init)), res(pcall(string.match, s, p, init)),
    res(pcall(string.gsub, s, p, rep, most)), res(pcall(string.gsub, s, p, pick)),
    res(pcall(string.gsub, s, p, { a = "T", [1] = 5 })), res(pcall(all, s, p)))
end
