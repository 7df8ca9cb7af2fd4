-- run: --grant http
-- http alone is for hosts of the public network: nothing of this machine or of a private network is connected to.
local moontide = require "moontide"
local function check(name, ok) print((ok and "pass " or "fail ") .. name) end
local function code(f, ...) local ok, fault = moontide.try(f, ...) return not ok and fault.code end

local rest = ...
local port = rest:match ":(%d+)"
for _, host in ipairs { "127.0.0.1", "localhost", "127.1.2.3", "[::1]" } do
  check("http://" .. host, code(moontide.http.get, "http://" .. host .. ":" .. port .. "/") == "http.private")
end
for _, host in ipairs { "127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "0.0.0.0", "10.1.2.3", "100.64.0.1",
  "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
  "[::1]", "[::]",
  "[::127.0.0.1]",
  "[::ffff:10.0.0.1]", "[64:ff9b::10.0.0.1]", "[2002:a00:1::]", "[fc00::1]", "[fe80::1]", "[ff02::1]", "[2001:db8::1]" } do
  local url = "https://" .. host .. ":" .. port .. "/"
  check("https://" .. host, code(moontide.http.get, url, { timeout = "2s" }) == "http.private")
end
check("nor does plain http leave it", code(moontide.http.get, "http://10.1.2.3/") == "http.plain")
