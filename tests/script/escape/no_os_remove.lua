-- expect: field 'remove'
return os.remove "x"
