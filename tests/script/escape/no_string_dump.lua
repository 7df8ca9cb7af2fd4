-- expect: field 'dump'
return string.dump(print)
