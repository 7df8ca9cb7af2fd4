-- Fails with what it is given, but not when it is only looked at.
require "moontide".sleep "10ms"
error((...), 0)
