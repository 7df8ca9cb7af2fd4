-- The arguments of a described script: parsing, help, and the data that completion and the manual are made from.
local core = ...
local args = {}

local function sorted(description)
  local names = {}
  for name in pairs(description.args or {}) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    local x, y = description.args[a], description.args[b]
    if (x.required or false) ~= (y.required or false) then return x.required or false end
    return a < b
  end)
  return names
end

local function usage(command, text)
  core.usage("usage", ("%s: %s (try %s --help)"):format(command, text, command))
end

local function nearest(word, names)
  local best, distance = nil, 3
  for _, name in ipairs(names) do
    local previous = {}
    for j = 0, #name do previous[j] = j end
    for i = 1, #word do
      local current = { [0] = i }
      for j = 1, #name do
        local cost = word:sub(i, i) == name:sub(j, j) and 0 or 1
        current[j] = math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost)
      end
      previous = current
    end
    if previous[#name] < distance then best, distance = name, previous[#name] end
  end
  return best
end

local function in_range(arg, value)
  return (not arg.min or value >= core.duration(arg.min)) and (not arg.max or value <= core.duration(arg.max))
end

local convert = {
  string = function(_, text) return text end,
  list = function(_, text) return text end,
  duration = function(arg, text)
    local ms = core.duration(text)
    if not in_range(arg, ms) then error(("must be from %s to %s"):format(arg.min or "0s", arg.max or "any"), 0) end
    return ms
  end,
  time = function(_, text) return core.time(text) end,
  integer = function(arg, text)
    local n = math.tointeger(tonumber(text))
    if not n then error("must be a whole number", 0) end
    if (arg.min and n < arg.min) or (arg.max and n > arg.max) then
      error(("must be from %s to %s"):format(arg.min or "any", arg.max or "any"), 0)
    end
    return n
  end,
  choice = function(arg, text)
    for _, choice in ipairs(arg) do if choice == text then return text end end
    error("must be one of " .. table.concat(arg, ", "), 0)
  end,
}

local function value_of(command, name, arg, text)
  local ok, value = pcall(convert[arg.kind], arg, text)
  if not ok then usage(command, ("--%s '%s': %s"):format(name, text, tostring(value))) end
  return value
end

local function find(description, command, word)
  for name, arg in pairs(description.args or {}) do
    if word == "--" .. name or (arg.short and word == "-" .. arg.short) then return name, arg end
  end
  local names = sorted(description)
  for _, name in ipairs(names) do -- a job's args are names of Lua: older_than is --older-than
    local same = word:sub(3):gsub("_", "-") == name:gsub("_", "-")
    if same and word:sub(1, 2) == "--" then return name, description.args[name] end
  end
  for i, name in ipairs(names) do names[i] = "--" .. name end
  local near = nearest(word, names)
  usage(command, near and ("unknown option %s: did you mean %s?"):format(word, near) or "unknown option " .. word)
end

local function positional(description, n)
  for name, arg in pairs(description.args or {}) do if arg.positional == n then return name, arg end end
end

--- Parses a list of words. Returns the table of arguments, or nil when --help was asked for.
function args.parse(description, words, command)
  local result, position, at, only_positional = {}, 0, 1, false
  local function set(name, arg, text)
    local value = value_of(command, name, arg, text)
    if arg.kind == "list" then
      result[name] = result[name] or {}
      table.insert(result[name], value)
    else
      result[name] = value
    end
  end
  while at <= #words do
    local word = words[at]
    local long, text = word:match("^(%-%-[^=]+)=(.*)$")
    if word == "--help" or word == "-h" then return nil end
    if word == "--" then
      only_positional = true
    elseif not only_positional and #word > 1 and word:sub(1, 1) == "-" then
      local name, arg = find(description, command, long or word)
      if arg.kind == "flag" or arg.kind == "boolean" then
        if long then usage(command, ("--%s takes no value"):format(name)) end
        result[name] = true
      else
        if not long then
          at = at + 1
          text = words[at]
          if not text then usage(command, ("--%s needs a value"):format(name)) end
        end
        set(name, arg, text)
      end
    else
      position = position + 1
      local name, arg = positional(description, position)
      if not name then usage(command, "unexpected argument '" .. word .. "'") end
      set(name, arg, word)
    end
    at = at + 1
  end
  for name, arg in pairs(description.args or {}) do
    if result[name] == nil and arg.default ~= nil then
      result[name] = type(arg.default) == "string" and convert[arg.kind](arg, arg.default) or arg.default
    end
    if result[name] == nil and arg.required then
      usage(command, arg.positional and ("%s is missing"):format(name:upper()) or ("--%s is missing"):format(name))
    end
  end
  return result
end

local function label(name, arg)
  if arg.positional then return name:upper() end
  local text = (arg.short and "-" .. arg.short .. ", " or "") .. "--" .. name
  if arg.kind == "flag" or arg.kind == "boolean" then return text end
  return text .. " " .. (arg.kind == "choice" and table.concat(arg, "|") or arg.kind:upper())
end

--- The help text.
function args.help(description, command)
  local lines, head = { "", description.summary, "" }, { "usage: " .. command }
  for _, name in ipairs(sorted(description)) do
    local arg = description.args[name]
    if arg.positional then head[#head + 1] = name:upper()
    elseif arg.required then head[#head + 1] = "--" .. name .. " " .. arg.kind:upper() end
  end
  head[#head + 1] = "[options]"
  for _, name in ipairs(sorted(description)) do
    local arg = description.args[name]
    local default = arg.default ~= nil and (" (default %s)"):format(arg.default) or ""
    lines[#lines + 1] = ("  %-28s %s%s"):format(label(name, arg), arg.doc or "", default)
  end
  if description.grant and description.grant.delete and not command:find "^moontide run " then
    lines[#lines + 1] = ("  %-28s %s"):format("--apply", "do it; without it nothing is deleted")
    lines[#lines + 1] = ("  %-28s %s"):format("--max N", "delete N messages at most "
      .. "(default 10000, or a twentieth of the account's if that is less)")
  end
  lines[#lines + 1] = ("  %-28s %s"):format("-h, --help", "this text")
  if description.sample then
    lines[#lines + 1] = ""
    lines[#lines + 1] = "prints, for example:"
    lines[#lines + 1] = "  " .. description.sample
  end
  return table.concat(head, " ") .. "\n" .. table.concat(lines, "\n")
end

return args
