-- expect: script.cpu
return string.find(("a"):rep(60), ("a?"):rep(60) .. ("a"):rep(60) .. "b")
