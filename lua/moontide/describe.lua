-- What a script says of itself: moontide.script and moontide.arg.
local core = ...
local describe = { arg = {} }
local described = {}

--- Describes a script: name, summary, args, grant, run.
function describe.script(description)
  for _, key in ipairs { "name", "summary", "run" } do
    if description[key] == nil then core.usage("script.description", ("a script needs %s"):format(key)) end
  end
  if type(description.run) ~= "function" then core.usage("script.description", "a script's run is a function") end
  return setmetatable(description, described)
end

function describe.is_script(value) return getmetatable(value) == described end

for _, kind in ipairs { "string", "integer", "duration", "time", "list", "flag", "choice", "boolean" } do
  describe.arg[kind] = function(options)
    local arg = {}
    for key, value in pairs(options or {}) do arg[key] = value end
    arg.kind = kind
    return arg
  end
end

return describe
