-- expect: script.cpu
while true do
  local co = coroutine.create(function() coroutine.wrap(function() while true do end end)() end)
  coroutine.resume(co)
end
