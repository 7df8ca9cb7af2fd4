-- moontide.http: get, post and request, with JSON both ways.
local core = ...
local http = {}
local response = {}
response.__index = response

--- The body as a value.
function response:json() return core.json.decode(self.body) end

local function copy(options)
  local out = {}
  for key, value in pairs(options or {}) do out[key] = value end
  return out
end

function http.request(options)
  if type(options) ~= "table" then core.usage("http.url", "moontide.http.request takes a table of options") end
  if options.json ~= nil then
    local headers = copy(options.headers)
    headers["Content-Type"] = headers["Content-Type"] or "application/json"
    options = copy(options)
    options.headers, options.body, options.json = headers, core.json.encode(options.json), nil
  end
  return setmetatable(core.http_request(options), response)
end

--- http.get(url, options)
function http.get(url, options)
  options = copy(options)
  options.url, options.method = url, "GET"
  return http.request(options)
end

--- http.post(url, body, options): a table is sent as JSON.
function http.post(url, body, options)
  options = copy(options)
  options.url, options.method = url, "POST"
  if type(body) == "table" then options.json = body else options.body = body end
  return http.request(options)
end

return http
