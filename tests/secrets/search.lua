-- Looks for secrets in everything below folders: lua5.4 search.lua SECRETS FOLDER…. SECRETS has one a line. Each is
-- looked for as it is, percent-encoded, JSON-escaped, in base64 (at the three places where it may begin in a group, in
-- both alphabets) and in hexadecimal digits; compressed files are read as well as what is in them. Prints a line for
-- each find, and how much was looked at; status 1 if anything was found.
local function lines_of(command)
  local pipe, out = assert(io.popen(command)), {}
  for line in pipe:lines() do out[#out + 1] = line end
  pipe:close()
  return out
end
local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read(path)
  if path:find "%.zst$" then
    local pipe = assert(io.popen("zstd -dcq " .. quote(path)))
    local text = pipe:read "a"
    pipe:close()
    return text
  end
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text or ""
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
--- The characters that the secret alone decides when so many bytes stand before it in its group.
local function base64(secret, before)
  local bits, out = 0, {}
  local value = 0
  local text = ("\0"):rep(before) .. secret
  for i = 1, #text do
    value, bits = (value << 8 | text:byte(i)) & 0xffffff, bits + 8
    while bits >= 6 do
      bits = bits - 6
      local index = value >> bits & 63
      out[#out + 1] = ALPHABET:sub(index + 1, index + 1)
    end
  end
  return table.concat(out):sub((before * 8 + 5) // 6 + 1)
end

local function unescape(text)
  text = text:gsub("\\u[dD]([89aAbB]%x%x)\\u[dD]([c-fC-F]%x%x)", function(high, low)
    return utf8.char(0x10000 + ((tonumber("d" .. high, 16) - 0xd800) << 10) + tonumber("d" .. low, 16) - 0xdc00)
  end)
  text = text:gsub("\\u(%x%x%x%x)", function(digits) return utf8.char(tonumber(digits, 16)) end)
  return (text:gsub("\\([\"\\/])", "%1"))
end
local function unpercent(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

--- What a text says in each reading.
local function readings(text)
  local out = { text }
  local function add(other) if other ~= text then out[#out + 1] = other end end
  add(unpercent(text))
  add(unpercent((text:gsub("+", " "))))
  local plain = unescape(text)
  add(plain)
  add(unpercent(plain)) -- percent-encoded within JSON
  add(unescape(plain))  -- JSON within JSON
  return out
end

local secrets = {}
for line in io.lines(arg[1]) do
  if #line >= 4 and not secrets[line] then
    secrets[line] = true
    local one = { secret = line, base64 = {}, hex = line:gsub(".", function(c) return ("%02x"):format(c:byte()) end) }
    for before = 0, 2 do one.base64[before + 1] = base64(line, before) end
    secrets[#secrets + 1] = one
  end
end

local function find(one, texts)
  for _, text in ipairs(texts) do
    if text.plain:find(one.secret, 1, true) then return "as it is, percent-encoded or escaped" end
    if text.lower:find(one.hex, 1, true) then return "in hexadecimal digits" end
    for before, form in ipairs(one.base64) do
      if text.base64:find(form, 1, true) then return ("in base64, %d bytes into a group"):format(before - 1) end
    end
  end
end

local files, bytes, found = 0, 0, 0
for i = 2, #arg do
  for _, path in ipairs(lines_of("find " .. quote(arg[i]) .. " -type f | LC_ALL=C sort")) do
    local text = path .. "\n" .. read(path) -- names may tell, too
    local texts = {}
    for j, plain in ipairs(readings(text)) do
      texts[j] = { plain = plain, lower = plain:lower(), base64 = plain:gsub("-", "+"):gsub("_", "/") }
    end
    files, bytes = files + 1, bytes + #text
    for n, one in ipairs(secrets) do
      local how = find(one, texts)
      if how then
        found = found + 1
        print(("%s: secret %d (%s…) %s"):format(path, n, one.secret:sub(1, 6), how))
      end
    end
  end
end
print(("%d secrets, %d files, %d bytes: %d finds"):format(#secrets, files, bytes, found))
os.exit(found == 0)
