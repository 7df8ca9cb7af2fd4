-- Every rule of this folder, and the runner, is shown to be able to fail: in a copy of the project one violation at a
-- time is made, and the rule must turn red and name the place.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local here = lib.capture("pwd"):gsub("%s+$", "")
local copy = lib.capture("mktemp -d"):gsub("%s+$", "")

local function shell(command) return lib.capture("cd " .. lib.quote(copy) .. " && " .. command) end
local function write(path, text)
  shell("mkdir -p " .. lib.quote(path:match("^(.*)/") or "."))
  local file = assert(io.open(copy .. "/" .. path, "wb"))
  file:write(text)
  file:close()
end
local function read(path)
  local file = io.open(copy .. "/" .. path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

lib.capture("tar -C " .. lib.quote(here) .. " --exclude=./build --exclude=./.git --exclude=node_modules" ..
  " --exclude=./tests/fuzz/corpus --exclude=./tests/bench/results -cf - . | tar -C " .. lib.quote(copy) .. " -xf -")
shell("mkdir -p build/gen && cp " .. lib.quote(here) .. "/build/compile_flags.txt build/ && cp " ..
  lib.quote(here) .. "/build/gen/*.h build/gen/")

--- What a rule says about the copy, without its "ok" lines; nil if it is content.
local function complaint_of(rule, extra)
  local text, ok = shell(("lua5.4 tests/lint/%s.lua . %s"):format(rule, extra or ""))
  return not ok and (("\n" .. text):gsub("\nok [^\n]*", "")) or nil, text
end

--- With one file written (or changed by a function), the rule fails and its words match.
local function red(rule, what, path, text, pattern, extra)
  local before = read(path)
  if type(text) == "function" then text = text(before) end
  write(path, text)
  local complaint, all = complaint_of(rule, extra)
  if before then write(path, before) else os.remove(copy .. "/" .. path) end
  local found = {}
  if not complaint then
    found[1] = "it stayed green"
  elseif not complaint:find(pattern) then
    found[1] = "it is red, but not for that: " .. all:sub(1, 300)
  end
  lib.verdict(rule .. " sees " .. what, found)
end

local function repeated(line, n) return string.rep(line .. "\n", n) end
local function body(inner)
  return "int mt_probe(int a);\n\nint mt_probe(int a)\n{\n" .. inner .. "    return a;\n}\n"
end

-------------------------------------------------------------------------------- floors
local PROBE = "engine/model/probe.c"
red("floors", "a file in no room", "engine/cellar/probe.c", "int x;\n", "engine/cellar/probe%.c")
red("floors", "a relative include", PROBE, '#include "../base/mem.h"\n', "probe%.c:1")
red("floors", "an include of a higher room", PROBE, '#include "http/http.h"\n', "model may not include http/http%.h")
red("floors", "an include of a neighbour", "engine/codec/probe.c", '#include "loop/loop.h"\n', "codec may not include")
red("floors", "a private header elsewhere", PROBE, '#include "codec/json_int.h"\n', "private header.*probe%.c:1")
red("floors", "a foreign header without its owner", PROBE, "#include <curl/curl.h>\n", "curl/curl%.h is not model's")
red("floors", "a foreign header that nobody owns", PROBE, "#include <expat.h>\n", "expat%.h has no owner")
red("floors", "a header that is not there", PROBE, '#include "base/nothing.h"\n', "base/nothing%.h")
red("floors", "a declaration past the headers", PROBE, "extern int mt_hidden(void);\n", "probe%.c:1: extern")
red("floors", "a cycle", "engine/FLOORS.lua", function(text)
  return (text:gsub("base = {},", 'base = { "codec" },'))
end, "cycle")

-------------------------------------------------------------------------------- limits
red("limits", "a long function", PROBE, body(repeated("    a++;", 101)), "model/probe%.c%(3%): mt_probe: 10%d lines")
red("limits", "a tangled function", PROBE, body(repeated("    if (a) a++;", 21)), "mt_probe: complexity 22")
red("limits", "a long file", PROBE, repeated("/* */", 801), "probe%.c: 801 lines")
red("limits", "a long header", "engine/model/probe.h", repeated("/* */", 251), "probe%.h: 251 lines")
red("limits", "a long test", "tests/unit/model/probe.c", body(repeated("    a++;", 101)), "tests/unit/model/probe")

-------------------------------------------------------------------------------- style
for name in ("sprintf strcpy strcat strtok atoi rand gets alloca system popen"):gmatch("%S+") do
  red("style", "a call of " .. name, PROBE, body("    (void)" .. name .. " (0);\n"), "probe%.c:5: " .. name)
end
for _, word in ipairs { "TO" .. "DO", "FIX" .. "ME", "X" .. "XX", "HA" .. "CK" } do
  red("style", "the note " .. word, PROBE, "/* " .. word .. " later */\n", "probe%.c:1: " .. word)
end
for _, word in ipairs { "st" .. "ub", "place" .. "holder" } do
  red("style", "the word " .. word, "docs/probe.md", "This is a " .. word .. ".\n", "probe%.md:1: " .. word)
end
for _, folder in ipairs { "engine/jobs", "engine/script", "engine/app", "lua/moontide" } do
  local path = folder .. (folder:match("^lua") and "/probe.lua" or "/probe.c")
  red("style", "a cloud's name in " .. folder, path, 'local x = "easemob"\n', "probe%.%w+:1: local x")
end
red("style", "a path of one machine", "docs/probe.md", "See /wo" .. "rk/shared.\n", "probe%.md:1")
red("style", "a registry's host", "tests/probe.sh", "npm i --registry https://registry" .. ".npmjs.org\n",
  "probe%.sh:1")
red("style", "a blank at the end", PROBE, "int x; \n", "probe%.c:1: blank")

-------------------------------------------------------------------------------- seams
for _, call in ipairs { "malloc(1)", "free(0)", "strdup(0)", "open(0)", "fopen(0)", "write(0)", "fsync(1)", "rename(0)",
  "time(0)", "clock_gettime(0)", "gettimeofday(0)", "getrandom(0)" } do
  local name = call:match("^%w+_?%w*")
  red("seams", "a direct " .. name, PROBE, body("    (void)" .. call .. ";\n"), "probe%.c:5: " .. name)
end

-------------------------------------------------------------------------------- globals
for what, line in pairs { ["a variable"] = "static int probe;", ["initialised data"] = "int probe = 1;",
  ["a static in a function"] = "", ["a thread's variable"] = "_Thread_local int probe;" } do
  local object = "build/release/obj/release/engine/model_probe.o"
  local text = line .. "\nint mt_probe(void);\nint mt_probe(void)\n{\n" ..
    (line == "" and "    static int probe;\n    return ++probe;" or "    return ++probe;") .. "\n}\n"
  write("probe.c", text)
  shell("mkdir -p build/release/obj/release/engine && cc -c -fPIC -o " .. object .. " probe.c")
  red("globals", what, "probe.c", text, "model_probe: probe")
  shell("rm -f probe.c " .. object)
end

-------------------------------------------------------------------------------- headers, format, tidy
red("headers", "a header that needs another one", "engine/model/probe.h", "size_t mt_probe(void);\n",
  "compiles alone as C:.*probe%.h", "engine/model/probe.h")
red("headers", "a header that is no C++", "engine/model/probe.h", "int mt_probe(int new);\n",
  "compiles alone as C%+%+:.*probe%.h", "engine/model/probe.h")
red("format", "unformatted C", PROBE, "int  mt_probe ( void ) ;\n", "probe%.c:1")
red("tidy", "a null dereference", PROBE, body("    int *p = 0;\n    a = *p;\n"), "NullDereference", PROBE)

-------------------------------------------------------------------------------- Lua and documents
red("luacheck", "an unknown global", "scripts/probe.lua", "print(nothing_such)\n", "probe%.lua:1")
red("luacheck", "an unused variable", "lua/moontide/probe.lua", "local a = 1\n", "probe%.lua:1")
red("fresh", "a stale manual", "docs/lua.md", function(text) return text .. "\nmore\n" end, "docs/lua%.md is fresh")
red("links", "a link to nowhere", "docs/probe.md", "[a](nothing.md)\n", "probe%.md:1: nothing%.md")
red("links", "a link to no heading", "docs/probe.md", "# One\n\n[a](#two)\n", "probe%.md:3: #two")
red("lock", "a host in a lock file", "tests/conformance/package-lock.json", function(text)
  return (text:gsub('"version": "8', '"resolved": "https://x", "version": "8'))
end, "lock files name no host")
red("lock", "a package without its hash", "tests/conformance/package-lock.json", function(text)
  return (text:gsub('"integrity": "[^"]*",?', "", 1))
end, "has its hash")
red("lock", "an open version", "tests/conformance/package.json", function(text)
  return (text:gsub('"ws": "', '"ws": "^'))
end, "versions are exact")
red("syntax", "a broken shell script", "tests/probe.sh", "if true\n", "probe%.sh")
red("syntax", "a broken Lua file", "scripts/probe.lua", "local = 1\n", "probe%.lua")
red("syntax", "broken JavaScript", "tests/conformance/probe.js", "let = = 1;\n", "probe%.js")

-------------------------------------------------------------------------------- the runner
--- What suite.lua makes of a suite that does this.
local function judged(what, script, want, seconds)
  shell("mkdir -p logs")
  write("logs/probe.cmd", script .. "\n")
  os.remove(copy .. "/logs/probe.result")
  shell(("lua5.4 tests/tools/suite.lua probe %d logs"):format(seconds or 20))
  local got = (read("logs/probe.result") or "nothing"):gsub("%s+$", "")
  lib.verdict("the runner judges " .. what, got == want and {} or { ("got %s, want %s"):format(got, want) })
end
judged("a good suite", "echo 1..2; echo ok 1 - a; echo 'ok 2 - b # SKIP no c'", "1 0 1")
judged("a failed test", "echo ok 1 - a; echo not ok 2 - b; echo 1..2; exit 1", "1 1 0")
judged("a failed test with status 0", "echo ok 1 - a; echo not ok 2 - b; echo 1..2", "1 1 0")
judged("a status without a failed test", "echo ok 1 - a; echo 1..1; exit 3", "1 1 0")
judged("an end by a signal", "echo 1..1; echo ok 1 - a; kill -ABRT $$", "1 1 0")
judged("silence", "true", "0 1 0")
judged("a suite that is not there", "exec ./nothing", "0 2 0")
judged("a missing plan", "echo ok 1 - a", "1 1 0")
judged("an unkept plan", "echo 1..3; echo ok 1 - a", "1 1 0")
judged("two plans in one suite", "echo 1..1; echo ok 1 - a; echo 1..1; echo ok 1 - b", "2 0 0")
judged("a suite that hangs", "echo 1..1; echo ok 1 - a; sleep 30", "1 1 0", 1)
judged("a suite that leaves a process behind", "echo 1..1; echo ok 1 - a; sleep 15 &", "1 0 0")

lib.capture("rm -rf " .. lib.quote(copy))
lib.finish()
