-- expect: global 'dofile'
return dofile()
