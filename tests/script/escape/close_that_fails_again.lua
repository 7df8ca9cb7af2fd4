-- expect: script.cpu
local function bad() error(setmetatable({}, { __close = function() while true do end end })) end
while true do
  pcall(function() local _ <close> = setmetatable({}, { __close = bad }) error "x" end)
end
