print "tick"
