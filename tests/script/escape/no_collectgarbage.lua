-- expect: global 'collectgarbage'
return collectgarbage()
