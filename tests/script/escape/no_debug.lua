-- expect: field 'debug'
return _G.debug.x
