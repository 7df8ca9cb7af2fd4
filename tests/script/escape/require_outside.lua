-- expect: there is no module
require "os"
