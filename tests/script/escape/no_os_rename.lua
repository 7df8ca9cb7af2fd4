-- expect: field 'rename'
return os.rename "x"
