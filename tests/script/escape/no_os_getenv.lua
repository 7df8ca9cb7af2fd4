-- expect: field 'getenv'
return os.getenv "x"
