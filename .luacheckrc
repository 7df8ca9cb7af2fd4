std = "lua54"
max_line_length = 120
exclude_files = { "premake5.lua", "build", "tests/conformance/node_modules" }
