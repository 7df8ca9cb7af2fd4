-- expect: is not loaded
assert(load((";"):rep(5000000)))
