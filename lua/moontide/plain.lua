-- What a script may say and try wherever it runs: the same in moontide's own process and in one of the script's own.
local core = ...
local plain = { log = {} }

for _, level in ipairs { "error", "warn", "info", "debug", "trace" } do
  plain.log[level] = function(text) core.log(level, text) end
end

--- Calls f(...); true and its results, or false and a fault.
function plain.try(f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 1, results.n) end
  return false, core.fault(results[2])
end

return plain
