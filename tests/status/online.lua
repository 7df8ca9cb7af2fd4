-- An account that is online.
require "moontide".account():on("message", function() end)
