-- run: --grant read,send,http:127.0.0.1
-- moontide.http against the sandbox's REST, and moontide.every.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function fails(code, f, ...)
  local ok, fault = moontide.try(f, ...)
  if not ok and fault.code ~= code then print(fault.code, fault.message) end
  return not ok and fault.code == code
end

local rest = ...
local url = rest .. "/sandbox/demo/token"
local answer = moontide.http.post(url, { grant_type = "password", username = "webhook", password = "secret" })
check("moontide.http.post sends a table as JSON", answer.status == 200 and answer:json().access_token ~= nil)
check("the content type is told", answer.content_type:find "json" ~= nil)
answer = moontide.http.get(rest .. "/no/such/place", { bearer = "none" })
check("moontide.http.get tells the status", answer.status == 404)
answer = moontide.http.request { url = url, method = "POST", body = "{", headers = { ["Content-Type"] = "application/json" } }
check("moontide.http.request sends a body as it is", answer.status == 400)
check("an answer that is too long is a fault", fails("http.too_large", moontide.http.post, url,
  { grant_type = "password", username = "webhook", password = "secret" }, { max_bytes = 10 }))
check("another host needs its grant", fails("grant.denied", moontide.http.get, "https://example.com/"))
check("a host cannot be hidden behind a user name", fails("http.url", moontide.http.get, "http://127.0.0.1@example.com/"))
check("nor behind a backslash", fails("http.url", moontide.http.get, "http://127.0.0.1\\@example.com/"))
check("only http and https", fails("http.url", moontide.http.get, "file:///etc/passwd"))
check("a header has one line", fails("http.header", moontide.http.get, url, { headers = { A = "b\r\nC: d" } }))
check("nor is Authorization", fails("http.header", moontide.http.get, url, { headers = { Authorization = "x" } }))
check("Host is not the script's", fails("http.header", moontide.http.get, url, { headers = { Host = "example.com" } }))
check("an unknown option is named", fails("option.unknown", moontide.http.get, url, { timeot = "1s" }))

local calls, timer = 0, nil
timer = moontide.every("10ms", function()
  calls = calls + 1
  if calls == 3 then timer:cancel() end
  error "on purpose"
end)
while calls < 3 do moontide.sleep "2ms" end
moontide.sleep "30ms"
check("moontide.every calls again and again until cancel", calls == 3)
check("an interval is not nothing", fails("option.range", moontide.every, "1ms", print))
