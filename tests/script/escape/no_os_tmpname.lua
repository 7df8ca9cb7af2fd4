-- expect: field 'tmpname'
return os.tmpname "x"
