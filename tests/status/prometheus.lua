-- A strict reader of Prometheus' text format 0.0.4, and of its conventions for names.
--   lua5.4 prometheus.lua check FILE [EARLIER]   errors, one a line; EARLIER: counters only grow
--   lua5.4 prometheus.lua value FILE 'name{label="value"}'
--   lua5.4 prometheus.lua table FILE             the rows of docs/metrics.md
local mode, path, more = arg[1], arg[2], arg[3]
local errors = {}
local function bad(n, ...) errors[#errors + 1] = ("line %d: %s"):format(n, string.format(...)) end

local NUMBER = { ["+Inf"] = math.huge, ["-Inf"] = -math.huge, NaN = 0 / 0 }
local function number_of(text)
  if NUMBER[text] then return NUMBER[text] end
  if text:match "^[+-]?%d+%.?%d*[eE]?[+-]?%d*$" then return tonumber(text) end
end

--- The labels between the braces, with what stands behind them; the names in the order in which they stand.
local function read_labels(text, n)
  local labels, names, at = {}, {}, 2
  while text:sub(at, at) ~= "}" do
    local name, from = text:match('^([%a_][%w_]*)="()', at)
    if not name then bad(n, "no label at %q", text:sub(at)) return end
    local value, i = {}, from
    while true do
      local c = text:sub(i, i)
      if c == "" then bad(n, "a label's value does not end") return end
      if c == '"' then break end
      if c == "\\" then
        local escaped = ({ ["\\"] = "\\", ['"'] = '"', n = "\n" })[text:sub(i + 1, i + 1)]
        if not escaped then bad(n, "no such escape: %q", text:sub(i, i + 1)) return end
        value[#value + 1], i = escaped, i + 2
      else
        value[#value + 1], i = c, i + 1
      end
    end
    if labels[name] then bad(n, "the label %s is there twice", name) end
    if name:match "^__" then bad(n, "the label %s is Prometheus' own", name) end
    labels[name], names[#names + 1] = table.concat(value), name
    at = i + 1
    local c = text:sub(at, at)
    if c == "," then at = at + 1 elseif c ~= "}" then bad(n, "no comma at %q", text:sub(at)) return end
  end
  return labels, names, text:sub(at + 1)
end

local function read(file)
  local f = assert(io.open(file, "rb"))
  local text = f:read "a"
  f:close()
  if not utf8.len(text) then bad(0, "it is not UTF-8") end
  if text:sub(-1) ~= "\n" then bad(0, "the last line does not end") end
  if text:find "\r" or text:find "\n\n" then bad(0, "a carriage return, or an empty line") end
  local families, order, series, current, n = {}, {}, {}, nil, 0
  for line in text:gmatch "([^\n]*)\n" do
    n = n + 1
    local word, name, rest = line:match "^# (%u+) ([%a_:][%w_:]*) (.*)$"
    if word == "HELP" then
      if families[name] then bad(n, "%s is there twice", name) end
      current = { name = name, help = rest, samples = {}, line = n }
      families[name], order[#order + 1] = current, current
      if rest:gsub("\\\\", ""):gsub("\\n", ""):find "\\" then bad(n, "no such escape in a HELP") end
    elseif word == "TYPE" then
      if not current or current.name ~= name or current.type then
        bad(n, "TYPE %s is not behind its HELP", name)
      end
      if not ({ counter = 1, gauge = 1, histogram = 1 })[rest] then bad(n, "no such type: %s", rest) end
      if current then current.type = rest end
    elseif line:sub(1, 1) == "#" then
      bad(n, "a comment that says nothing: %s", line)
    else
      local sample, at = line:match "^([%a_:][%w_:]*)()"
      local labels, names, tail = {}, {}, sample and line:sub(at) or ""
      if tail:sub(1, 1) == "{" then labels, names, tail = read_labels(tail, n) end
      local value = tail and tail:match "^ (%S+)$"
      if not sample or not labels or not value then
        bad(n, "no sample: %s", line)
      else
        local base = current and sample:sub(1, #current.name) == current.name and sample:sub(#current.name + 1)
        local fits = base == "" and current.type ~= "histogram"
          or current and current.type == "histogram" and ({ _bucket = 1, _sum = 1, _count = 1 })[base or "-"]
        if not fits then bad(n, "%s does not belong to the metric before it", sample) end
        if not number_of(value) then bad(n, "no number: %s", value) end
        local key = {}
        for k, v in pairs(labels) do key[#key + 1] = k .. "=" .. v end
        table.sort(key)
        key = sample .. "\0" .. table.concat(key, "\0")
        if series[key] then bad(n, "the same series twice: %s", line) end
        series[key] = number_of(value)
        if current then
          current.samples[#current.samples + 1] =
            { name = sample, labels = labels, names = names, value = number_of(value), line = n, key = key }
        end
      end
    end
  end
  return { order = order, families = families, series = series }
end

local UNITS = { "_ms", "_milliseconds", "_us", "_minutes", "_kb", "_mb", "_kib", "_percent" }
local function check_histogram(family)
  local count, sum, buckets, last, lastle = nil, nil, 0, -1, -math.huge
  for _, sample in ipairs(family.samples) do
    if sample.name:match "_bucket$" then
      local le = number_of(sample.labels.le or "")
      if not le or le <= lastle then bad(sample.line, "le does not ascend") end
      if sample.value < last then bad(sample.line, "a bucket is less than the one before it") end
      last, lastle, buckets = sample.value, le or lastle, buckets + 1
    elseif sample.name:match "_count$" then count = sample.value
    else sum = sample.value end
  end
  if lastle ~= math.huge or count ~= last or not sum or buckets < 2 then
    bad(family.line, "%s: no whole histogram", family.name)
  end
end

local function check(scrape)
  for _, family in ipairs(scrape.order) do
    local name, total = family.name, family.name:match "_total$"
    if not family.type then bad(family.line, "%s has no type", name) end
    if (family.type == "counter") ~= (total ~= nil) then
      bad(family.line, "%s: counters, and they alone, end with _total", name)
    end
    if not (name:match "^moontide_[a-z_]+$" or name:match "^process_[a-z_]+$") then
      bad(family.line, "%s: no such prefix", name)
    end
    for _, unit in ipairs(UNITS) do
      if (name:gsub("_total$", "")):sub(-#unit) == unit then bad(family.line, "%s: no base unit", name) end
    end
    if #family.help < 5 or not family.help:match "%.$" then bad(family.line, "%s: HELP is no sentence", name) end
    if family.type == "histogram" then check_histogram(family) end
    local first
    for _, sample in ipairs(family.samples) do
      if family.type == "counter" and not (sample.value >= 0 and sample.value < math.huge) then
        bad(sample.line, "a counter of %s", sample.value)
      end
      local names = table.concat(sample.names, ",")
      if family.type ~= "histogram" and first and names ~= first then
        bad(sample.line, "other labels than the sample before it")
      end
      first = first or names
    end
  end
end

local scrape = read(path)
if mode == "value" then
  for _, family in ipairs(scrape.order) do
    for _, sample in ipairs(family.samples) do
      local labels = {}
      for _, name in ipairs(sample.names) do labels[#labels + 1] = ("%s=%q"):format(name, sample.labels[name]) end
      local whole = sample.name .. (#labels > 0 and "{" .. table.concat(labels, ",") .. "}" or "")
      if whole == more then print(("%.15g"):format(sample.value)) os.exit(0) end
    end
  end
  print "none"
  os.exit(1)
elseif mode == "table" then
  print "| metric | type | what |\n|---|---|---|"
  for _, family in ipairs(scrape.order) do
    print(("| `%s` | %s | %s |"):format(family.name, family.type, family.help))
  end
else
  check(scrape)
  local before = more and read(more)
  for _, family in ipairs(before and before.order or {}) do
    for _, sample in ipairs(family.samples) do
      local now = scrape.series[sample.key]
      if family.type == "counter" and now and now < sample.value then
        bad(sample.line, "%s has become less", family.name)
      end
    end
  end
  for _, line in ipairs(errors) do print(line) end
  os.exit(#errors == 0)
end
