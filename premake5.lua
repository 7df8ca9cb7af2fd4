-- The one build description. Valid for premake 5 and for Debian's premake4 4.3:
--   premake5 gmake                       && make -C build config=release
--   premake4 --file=premake5.lua gmake   && make -C build config=release
-- The top-level Makefile wraps both; nothing else describes how to build.

local P4 = (_PREMAKE_VERSION or ""):match("^4") ~= nil
if P4 then
  -- premake4 lacks these names; each shim says the same thing in its words.
  workspace = solution
  filter = function(terms)
    if type(terms) ~= "table" then terms = { terms } end
    local out = {}
    for _, t in ipairs(terms) do out[#out + 1] = (t:gsub("^%a+:", "")) end
    configuration(out)
  end
  cdialect = function(d) buildoptions { "-std=" .. d:lower() } end
  symbols = function(v) if v ~= "Off" then flags { "Symbols" } end end
  optimize = function(v)
    if v == "Off" or v == "Debug" then return end
    flags { v == "Speed" and "OptimizeSpeed" or v == "Size" and "OptimizeSize" or "Optimize" }
  end
  removefiles = excludes
  pic = function(v) if v == "On" then buildoptions { "-fPIC" } end end
  local newoption4 = newoption
  newoption = function(o)
    newoption4(o)
    if o.default and not _OPTIONS[o.trigger] then _OPTIONS[o.trigger] = o.default end
  end
end

-- Both name an object by its source's base name alone (premake 5 adds a number in the order of the files, so that a new
-- file renames its neighbours' objects): two rooms with a file of the same name would share or swap objects.
local getbasename = path.getbasename
path.getbasename = function(p)
  local inner = p:match("engine/(.+)%.c$") or p:match("build/(gen/.+)%.c$") or p:match("^gen/(.+)%.c$")
  return inner and (inner:gsub("/", "_")) or getbasename(p)
end

newoption { trigger = "prefix", value = "DIR", default = "/usr/local", description = "install prefix (action install)" }
newoption { trigger = "destdir", value = "DIR", description = "staging root (action install)" }

---------------------------------------------------------------- helpers
local function capture(cmd)
  local p = assert(io.popen(cmd .. " 2>/dev/null"))
  local s = p:read("*a") or ""
  p:close()
  return (s:gsub("%s+$", ""))
end

local found = {}
local function known(name) return capture("pkg-config --exists " .. name .. " && echo yes") == "yes" end
local function pkg(name)
  if found[name] then return found[name] end
  if not known(name) then
    error("pkg-config does not know '" .. name .. "': run `make packages`", 0)
  end
  local r = { inc = {}, opt = {}, libs = {}, libdirs = {}, other = {} }
  for w in capture("pkg-config --cflags " .. name):gmatch("%S+") do
    local dir = w:match("^%-I(.+)")
    if dir then r.inc[#r.inc + 1] = dir else r.opt[#r.opt + 1] = w end
  end
  for w in capture("pkg-config --libs " .. name):gmatch("%S+") do
    local l, d = w:match("^%-l(.+)"), w:match("^%-L(.+)")
    if l then r.libs[#r.libs + 1] = l
    elseif d then r.libdirs[#r.libdirs + 1] = d
    else r.other[#r.other + 1] = w end
  end
  found[name] = r
  return r
end
local function use_cflags(names)
  for _, n in ipairs(names) do
    local p = pkg(n)
    for _, dir in ipairs(p.inc) do buildoptions { "-isystem " .. dir } end
    buildoptions(p.opt)
  end
end
local function use_libs(names)
  -- libraries go through links, never linkoptions: LDFLAGS stands before the archive on the link line
  for _, n in ipairs(names) do local p = pkg(n); libdirs(p.libdirs); links(p.libs); linkoptions(p.other) end
end

local DEPS = { "lua5.4", "libcurl", "libcjson", "libwebsockets", "libuv", "libprotobuf-c",
  "sqlite3", "openssl", "libzstd", "zlib" }
local GEN = "build/gen"

---------------------------------------------------------------- workspace
local CONFIGS = { "release", "asan", "fuzz" }
local WARNINGS = { "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wvla",
  "-Wformat=2", "-Wno-format-nonliteral" }
workspace "moontide"
  configurations(CONFIGS)
  location "build"
  language "C"
  cdialect "C11"
  defines { "_GNU_SOURCE" }
  buildoptions(WARNINGS)
  buildoptions { "-fstack-protector-strong" }

  -- gcc's word; clang does not know it. A text that snprintf cuts is meant to be cut.
  filter "configurations:release"
    buildoptions { "-Wno-format-truncation" }
    optimize "Speed"
    symbols "On"
    buildoptions { "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-fno-plt" }
  filter "configurations:asan"
    buildoptions { "-Wno-format-truncation" }
    symbols "On"
    defines { "MT_DEBUG" }
    buildoptions { "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined" }
    linkoptions { "-fsanitize=address,undefined" }
  filter "configurations:fuzz"
    -- built with CC=clang, which does not know each of gcc's warnings
    buildoptions { "-Wno-unknown-warning-option", "-Wno-unneeded-internal-declaration" }
    symbols "On"
    defines { "MT_DEBUG" }
    buildoptions { "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined,fuzzer-no-link", "-fno-sanitize-recover=undefined" }
    linkoptions { "-fsanitize=address,undefined" }
  for _, c in ipairs(CONFIGS) do
    filter("configurations:" .. c)
      targetdir(c == "release" and "build/bin" or "build/" .. c .. "/bin")
      objdir("build/" .. c .. "/obj")
  end
  filter {}
  pic "On"

-- Code generation is a static library of its own: the order of projects, and not a prebuild rule that races
-- with compilation under -j, puts it first.
project "codegen"
  kind "StaticLib"
  targetname "moontide-codegen"
  files { "engine/proto/codegen.c" }
  prebuildcommands { "sh ../engine/proto/codegen.sh" }

project "engine"
  kind "StaticLib"
  targetname "moontide-engine"
  files { "engine/**.h", "engine/**.c", GEN .. "/msync.pb-c.c", GEN .. "/rongcloud.pb-c.c",
    GEN .. "/embedded.c", GEN .. "/api_records.c" }
  removefiles { "engine/proto/codegen.c", "engine/app/main.c" }
  includedirs { "engine", GEN }
  use_cflags(DEPS)
  links { "codegen" }

local function program(name)
  project(name)
    kind "ConsoleApp"
    includedirs { "engine", GEN, "." }
    use_cflags(DEPS)
    links { "engine" }
    use_libs(DEPS)
    links { "pthread", "m", "dl" }
end

program "moontide"
  files { "engine/app/main.c" }

-- One test program a folder: tests/unit/<room> becomes test-<room>, tests/crash becomes crash, and so on.
-- Who only wants the program needs no cmocka.
for _, dir in ipairs(known("cmocka") and os.matchdirs("tests/unit/*") or {}) do
  program("test-" .. dir:match("[^/]+$"))
    files { dir .. "/*.c" }
    use_cflags { "cmocka" }
    use_libs { "cmocka" }
end
-- tests/crash/<name>.c, tests/bench/<name>.c and tests/soak/<name>.c are programs; lib_*.c beside them is shared by all of that folder.
for _, group in ipairs { "crash", "bench", "soak" } do
  for _, file in ipairs(os.matchfiles("tests/" .. group .. "/*.c")) do
    local name = file:match("([^/]+)%.c$")
    if not name:match("^lib_") then
      program(group .. "-" .. name)
        files { file, "tests/" .. group .. "/lib_*.c" }
    end
  end
end
-- tests/fuzz/<parser>.c holds LLVMFuzzerTestOneInput; outside the fuzz configuration a plain main replays files.
for _, file in ipairs(os.matchfiles("tests/fuzz/fuzz_*.c")) do
  program("fuzz-" .. file:match("fuzz_([^/]+)%.c$"))
    files { file, "tests/fuzz/lib_*.c" }
    filter "configurations:fuzz"
      linkoptions { "-fsanitize=fuzzer" }
      defines { "MT_LIBFUZZER" }
    filter {}
end

-- The same flags for clang-tidy, clangd and the header check, which read them from this file.
if (_ACTION or ""):match("^gmake") then
  local lines = { "-std=c11", "-D_GNU_SOURCE", "-I../engine", "-Igen", "-I.." }
  for _, flag in ipairs(WARNINGS) do
    if flag ~= "-Wno-format-truncation" then lines[#lines + 1] = flag end -- gcc's alone
  end
  for _, name in ipairs(DEPS) do
    for _, dir in ipairs(pkg(name).inc) do lines[#lines + 1] = "-isystem"; lines[#lines + 1] = dir end
    for _, option in ipairs(pkg(name).opt) do lines[#lines + 1] = option end
  end
  os.mkdir("build")
  local file = assert(io.open("build/compile_flags.txt", "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end

---------------------------------------------------------------- actions
local function sh(cmd)
  local r = os.execute(cmd)
  if not (r == true or r == 0) then error("failed: " .. cmd, 0) end
end

newaction {
  trigger = "install",
  description = "install build/bin/moontide, its manual page, the standard library and the scripts below --prefix",
  execute = function()
    local root = (_OPTIONS["destdir"] or "") .. _OPTIONS["prefix"]
    sh("install -d '" .. root .. "/bin' '" .. root .. "/share/moontide'")
    sh("install -m 755 build/bin/moontide '" .. root .. "/bin/'")
    sh("cp -R lua scripts '" .. root .. "/share/moontide/'")
    for mode, file in pairs { man = "man/man1/moontide.1", bash = "bash-completion/completions/moontide" } do
      local path = root .. "/share/" .. file
      sh("install -d '" .. path:match("^(.*)/") .. "'")
      sh("lua5.4 lua/api/tools/commands.lua build/bin/moontide " .. mode .. " >'" .. path .. "'")
    end
  end,
}
