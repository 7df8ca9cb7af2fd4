-- expect: field 'execute'
return os.execute "x"
