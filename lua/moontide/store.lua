-- moontide.store: a durable table of the script. What is assigned is written at once; a table that was taken out of it
-- and changed is noticed at the next commit: when a handler's event is acknowledged, after a timer's call, at
-- store:flush(), and at the end of the script's main part.
local core = ...
local store = {}
local MAX_BYTES = 16 << 20
local RESERVED = "flush"
local texts             -- JSON by key; nil: not read yet
local bytes = 0
local taken = {}        -- tables handed out since the last commit, by key
local held = setmetatable({}, { __mode = "v" }) -- those before, as long as the script has them
local waiting           -- the signals of tasks that wait for the one that reads; nil: none does

local function read()
  while not texts do
    if waiting then
      local turn = core.signal() -- a signal has one task that waits
      waiting[#waiting + 1] = turn
      turn:wait()
    else
      waiting = {}
      local ok, result = pcall(core.store_load)
      local turns = waiting
      waiting = nil
      for _, turn in ipairs(turns) do turn:set() end
      if not ok then error(result, 0) end
      texts = result
      for key, text in pairs(texts) do bytes = bytes + #key + #text end
    end
  end
end

local function check_key(key)
  if type(key) ~= "string" or key == "" or #key > 1024 then
    core.usage("store.key", "a key of moontide.store is a text of 1 to 1024 bytes")
  elseif key == RESERVED then
    core.usage("store.key", "the key 'flush' is taken: it is the function moontide.store:flush()")
  end
end

local function put(key, text)
  local before = texts[key]
  if before == text then return end
  local now = bytes - (before and #key + #before or 0) + (text and #key + #text or 0)
  if now > MAX_BYTES then
    core.usage("store.limit", ("moontide.store holds %d MiB at most"):format(MAX_BYTES >> 20))
  end
  core.store_put(key, text)
  texts[key], bytes = text, now
end

local function get(key)
  read()
  local value = taken[key] or held[key]
  if value then
    taken[key] = value
    return value
  end
  if not texts[key] then return nil end
  value = core.json.decode(texts[key])
  if type(value) == "table" then taken[key] = value end
  return value
end

local function set(_, key, value)
  check_key(key)
  read()
  local text = value ~= nil and core.json.encode(value) or nil
  put(key, text)
  taken[key], held[key] = nil, nil
  if type(value) == "table" then taken[key] = value end
end

--- What has changed in tables that the script took out is put back.
function store.commit()
  if not texts then return end
  local list = taken
  taken = {}
  for key, value in pairs(held) do list[key] = list[key] or value end
  for key, value in pairs(list) do
    local ok, err = pcall(function() put(key, core.json.encode(value)) end)
    if not ok then core.log("error", ("moontide.store: '%s' is not kept: %s"):format(key, core.fault(err).message)) end
    held[key] = value
  end
end

--- Whether something is not durable yet.
function store.pending()
  if not texts then return false end
  store.commit()
  return core.store_dirty()
end

local function flush()
  read()
  store.commit()
  if core.store_dirty() then core.store_flush() end
end

local function iterate()
  read()
  local keys = {}
  for key in pairs(texts) do keys[#keys + 1] = key end
  table.sort(keys)
  local at = 0
  return function()
    repeat
      at = at + 1
      if not keys[at] then return nil end
    until texts[keys[at]]
    return keys[at], get(keys[at])
  end
end

store.table = setmetatable({}, {
  __index = function(_, key)
    if key == RESERVED then return flush end
    check_key(key)
    return get(key)
  end,
  __newindex = set,
  __pairs = iterate,
  __metatable = "store",
})

return store
