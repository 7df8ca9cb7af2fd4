-- expect: string expected
return load(function() return "return 1" end)
