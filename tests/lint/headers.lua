-- Each header of the engine compiles alone, as C with the warnings of the build, and each public one as C++.
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local lib = require "lib"

local flags = {}
for line in io.lines(lib.root .. "/build/compile_flags.txt") do
  flags[#flags + 1] = lib.quote(line)
end

local headers = lib.files("engine", "%.h$")
local only = arg[2]
local as_c, as_cpp = {}, {}
local function try(list, path, command)
  local text, ok = lib.capture("cd " .. lib.quote(lib.root .. "/build") .. " && " .. command)
  if not ok then list[#list + 1] = path .. ": " .. (text:match("[^\n]*error[^\n]*") or text:sub(1, 200)) end
end
for _, path in ipairs(headers) do
  if not only or path == only then
    local inner = path:match("^engine/(.*)$")
    local include = "printf '#include \"%s\"\\n' " .. lib.quote(inner) .. " | "
    try(as_c, path, include .. "${CC:-cc} -fsyntax-only -x c " .. table.concat(flags, " ") .. " -")
    if not path:match("_int%.h$") then
      local cpp = {}
      for _, flag in ipairs(flags) do
        if not flag:match("%-std=") and not flag:match("prototypes") then cpp[#cpp + 1] = flag end
      end
      try(as_cpp, path, include .. "clang -fsyntax-only -x c++ -std=c++17 " .. table.concat(cpp, " ") .. " -")
    end
  end
end
lib.verdict("every header compiles alone as C", as_c)
lib.verdict("every public header compiles alone as C++", as_cpp)
lib.finish()
