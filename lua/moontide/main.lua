-- What every script runs in: a plain chunk is run as it is; a described script has its arguments parsed and checked
-- before its run is called.
local moontide = require "moontide"
local args = require "moontide.args"

return function(chunk, words, command)
  local result = chunk(table.unpack(words))
  if not moontide.is_script(result) then return 0 end
  local parsed = args.parse(result, words, command)
  if not parsed then
    print(args.help(result, command))
    return 0
  end
  return result.run { args = parsed } or 0
end
