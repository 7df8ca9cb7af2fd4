-- expect: field 'io'
return _G.io.x
