std = "lua54"
max_line_length = 120
exclude_files = { "premake5.lua", "build", "tests/conformance/node_modules" }
-- prose in records stands on one line each; what is generated from them too
files["lua/api"] = { max_line_length = false }
files["lua/meta"] = { max_line_length = false }
