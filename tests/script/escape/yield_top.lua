-- expect: yielded
coroutine.yield(1)
