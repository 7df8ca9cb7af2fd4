-- expect: global 'loadfile'
return loadfile()
