-- expect: script.cpu
while true do end
