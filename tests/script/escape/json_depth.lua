-- expect: json.too_deep
local t = {} for _ = 1, 1e5 do t = { t } end require "moontide".json.encode(t)
