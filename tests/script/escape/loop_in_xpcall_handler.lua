-- expect: script.cpu
xpcall(error, function() while true do end end)
