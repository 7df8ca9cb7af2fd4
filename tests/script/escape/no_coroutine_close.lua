-- expect: field 'close'
return coroutine.close(coroutine.create(print))
