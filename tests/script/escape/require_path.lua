-- expect: there is no module
require "moontide.../../../etc/passwd"
