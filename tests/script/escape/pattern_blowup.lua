-- expect: script.cpu
return string.find(("a"):rep(1500), (".-"):rep(2) .. "b" .. (".-"):rep(3) .. "c")
