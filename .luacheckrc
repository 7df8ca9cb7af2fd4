std = "lua54"
max_line_length = 120
exclude_files = { "premake5.lua", "build", "tests/conformance/node_modules" }
-- prose in records stands on one line each; what is generated from them too
files["lua/api"] = { max_line_length = false }
files["lua/meta"] = { max_line_length = false }
files["tests/script"] = { max_line_length = 130 }
files["tests/faults"] = { max_line_length = 130 }
-- hostile scripts keep what they take and use nothing of it
files["tests/script/escape"] = { ignore = { "211", "231", "241" } }
-- a part of a script that generate.lua completes
files["tests/grants"] = { max_line_length = 130, read_globals = { "LISTS", "ALL", "MODE", "GRANT", "NAMES", "CLOUD", "STATS" } }
