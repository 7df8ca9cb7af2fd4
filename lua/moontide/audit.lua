-- moontide.audit: iterates over records of the audit, as the file has them.
local core = ...

return function(options)
  local reader = core.audit_open(options or {})
  local text, more, at = "", true, 1
  return function()
    while at > #text do
      if not more then return nil end
      text, more = reader:next()
      at = 1
    end
    local stop = text:find("\n", at, true)
    local line = text:sub(at, stop - 1)
    at = stop + 1
    return core.json.decode(line), line
  end
end
