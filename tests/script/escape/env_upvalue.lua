-- expect: no globals
local _ENV = { print = print, pcall = pcall, tostring = tostring }
print(pcall(function() return os.time() end) and "globals" or "no globals")
