-- expect: field 'package'
return _G.package.x
