-- What every script runs in: a plain chunk is run as it is; a described script has its arguments parsed and checked
-- before its run is called.
local core = ...
local moontide = require "moontide"
local args = require "moontide.args"

--- `moontide run -a NAME` names the account of a described script that has such an argument.
local function with_account(script, words, account)
  if not account or not (script.args and script.args.account) then return words end
  return { "--account", account, table.unpack(words) }
end

return function(chunk, words, command, account)
  local result = chunk(table.unpack(words))
  if not moontide.is_script(result) then
    moontide.at_end()
    return 0
  end
  local parsed = args.parse(result, with_account(result, words, account), command)
  if not parsed then
    print(args.help(result, command))
    return 0
  end
  local apply = core.grant(result.grant, result.name)
  if moontide.is_checked() then return 0 end
  local status = result.run { args = parsed, apply = apply } or 0
  moontide.at_end()
  return status
end
