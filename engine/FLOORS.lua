-- The architecture as data: which room may include which, and who owns a foreign header.
-- Read by tests/lint/floors.lua. A new edge is a change here, with its reason in the commit.
local F0 = { "base" }
local function upon(floor, ...)
  local out = {}
  for _, list in ipairs { floor, { ... } } do for _, room in ipairs(list) do out[#out + 1] = room end end
  return out
end
local F1 = upon(F0, "codec", "loop", "model", "proto")
local F2 = upon(F1, "http", "ws", "store")
local F3 = upon(F2, "archive", "provider")

return {
  rooms = {
    base = {},
    codec = F0,
    loop = F0,
    model = upon(F0, "codec"), -- messages are written as JSON and time
    proto = F0,
    http = F1,
    ws = F1,
    store = F1,
    archive = F2,
    provider = F2,
    ["provider/easemob"] = upon(F2, "provider"),
    ["provider/rongcloud"] = upon(F2, "provider"),
    policy = { "base", "codec", "model", "archive" }, -- decides; never talks to the network
    hub = upon(F2, "provider"),
    jobs = upon(F3, "policy"),
    script = upon(F3, "policy", "hub", "jobs"),
    sandbox = { "base", "codec", "loop", "proto", "ws", "sandbox/rongcloud" },
    ["sandbox/rongcloud"] = { "base", "codec", "loop", "proto", "ws" }, -- a cloud of its own beside Easemob's
    app = upon(F3, "policy", "hub", "jobs", "script", "sandbox"),
  },
  owners = {
    ["linux/openat2.h"] = { "base" },
    ["malloc.h"] = { "base" }, -- how the heap grows and shrinks
    ["uv.h"] = { "loop" },
    ["curl/curl.h"] = { "http" },
    ["libwebsockets.h"] = { "ws" },
    ["cJSON.h"] = { "codec" },
    ["zstd.h"] = { "codec" },
    ["openssl/evp.h"] = { "codec" },
    ["openssl/sha.h"] = { "codec" },
    ["openssl/crypto.h"] = { "codec" },
    ["uthash.h"] = { "base" },
    ["spawn.h"] = { "base" }, -- other programs are started in one place
    ["linux/audit.h"] = { "base" },
    ["linux/filter.h"] = { "base" },
    ["linux/seccomp.h"] = { "base" }, -- what a process gives up
    ["sqlite3.h"] = { "archive", "store" },
    ["lua.h"] = { "script" },
    ["lauxlib.h"] = { "script" },
    ["lualib.h"] = { "script" },
    ["msync.pb-c.h"] = { "proto", "provider/easemob", "sandbox" },
    ["rongcloud.pb-c.h"] = { "proto", "provider/rongcloud", "sandbox/rongcloud" },
    ["zlib.h"] = { "codec" },
  },
}
