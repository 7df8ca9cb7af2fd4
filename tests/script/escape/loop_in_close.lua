-- expect: script.cpu
do local _ <close> = setmetatable({}, { __close = function() while true do end end }) end
