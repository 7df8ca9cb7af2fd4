-- expect: field 'setlocale'
return os.setlocale "x"
