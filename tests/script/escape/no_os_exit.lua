-- expect: field 'exit'
return os.exit "x"
