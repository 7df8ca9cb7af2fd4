-- The proof of retention, proven: each safeguard is taken out of a copy of the program, one at a time, and the tests
-- must turn red. TAP. MT_RETENTION_N: histories that must find it (1600); MT_RETENTION_MUTANT: a part of one's name.
-- mutants.lua LIST: those of another suite, a Lua file that returns as many entries.
local HERE = os.getenv("PWD")
local TREE = HERE .. "/build/mutants"
local N = os.getenv("MT_RETENTION_N") or "1600"

local CLOUDS = "for cloud in easemob rongcloud; do %s $cloud || exit 1; done"
local PROPERTY = CLOUDS:format(("MT_RETENTION_N=%s node tests/proof/property.js"):format(N))
local KILL = CLOUDS:format("MT_RETENTION_KILLS=30 node tests/proof/kill.js")
local BATCH, PURGE = "engine/jobs/purge_batch.c", "engine/jobs/purge.c"

-- name, file, the text that is there, what takes its place, what is built, what must turn red
local MUTANTS = arg[1] and dofile(arg[1]) or {
  { "what the archive holds is not looked at", PURGE,
    "    if (!rc && purge->options.only_looks) {",
    "    memset(purge->verdicts, 0, purge->n * sizeof *purge->verdicts);\n    if (!rc && purge->options.only_looks) {",
    "moontide", PROPERTY },
  { "holds are not read again", BATCH,
    "    mt_gate_hold(holds,", "    if (b->n > MT_HOLDS_MAX)\n        mt_gate_hold(holds,", "moontide", PROPERTY },
  { "deleted is by time", BATCH, [[purge->live->delete_ids(purge->options.account, &b->ref, b->keys + b->at, n,
                                        on_deleted, b, &call);]],
    "purge->live->delete_before(purge->options.account, &b->ref, b->until_ms, on_deleted, b, &call);",
    "moontide", PROPERTY },
  { "what was edited since the plan is deleted too", BATCH,
    "memcmp(digest, b->items[at].digest, sizeof digest) != 0", "false", "moontide", PROPERTY },
  { "the answer is believed, nothing is read back", BATCH,
    "    b->looks_n++;\n", "    b->looks_n++;\n    b->left_n = 0;\n    memset(b->left, 0, b->n);\n",
    "moontide", PROPERTY },
  { "there is no cap", "engine/policy/gate.c",
    "        if (let_n < left_n)", "        if (let_n < left_n || let_n < n)", "moontide", PROPERTY },
  { "gaps are not looked at", "engine/policy/gate.c",
    "        else if (in_gap(&j, items[i].key.time_ms))",
    "        else if (n > 1u << 30 && in_gap(&j, items[i].key.time_ms))",
    "moontide", PROPERTY },
  { "what a dead run did is not settled", "engine/jobs/purge_open.c",
    "    if (!same(record->account, u->purge->name) ||", "    if (!same(record->account, u->purge->name) || number ||",
    "moontide", KILL },
  { "a plan of last week is taken", "engine/policy/plan_read.c",
    "now_ms - made_ms > MT_PLAN_AGE_MAX_MS", "now_ms < 0", "test-policy", "build/bin/test-policy" },
  { "the checkpoint comes before the fsync", "engine/archive/commit.c",
    "        err = mt_fs_fdatasync(conv->fd);", "        err = 0;",
    "crash-powercut", "MT_CRASH_N=300 build/bin/crash-powercut" },
}

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end
local function sh(command, log)
  return os.execute(("cd %s && { %s; } >%s 2>&1"):format(quote(TREE), command, quote(log))) == true
end
local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end
local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function replace(text, from, to)
  local at, last = text:find(from, 1, true)
  if not at or text:find(from, last + 1, true) then return nil end
  return text:sub(1, at - 1) .. to .. text:sub(last + 1)
end

--- A copy of the tree with what is built already, so that a mutant costs one file and a link.
local function copy()
  os.execute("rm -rf " .. quote(TREE) .. " && mkdir -p " .. quote(TREE .. "/build"))
  return os.execute(("cp -a engine lua scripts tests docs %s && cd build && cp -a *.make Makefile release bin %s")
    :format(quote(TREE), quote(TREE .. "/build"))) == true
end

local function try(i, mutant)
  local file, from, to, target, command = table.unpack(mutant, 2)
  local path, log = TREE .. "/" .. file, ("%s/mutant-%d.log"):format(TREE, i)
  local original = read(path)
  local changed = replace(original, from, to)
  if not changed then return "its place is not found in " .. file end
  write(path, changed)
  local built = sh("make -C build config=release " .. target, log .. ".build")
  local green = built and sh("export MOONTIDE=$PWD/build/bin/moontide; " .. command, log)
  write(path, original)
  if not built then return "it does not build, see " .. log .. ".build" end
  return green and "nothing has noticed, see " .. log or nil
end

if not copy() then
  print("Bail out! the tree cannot be copied")
  os.exit(1)
end
local only, n = os.getenv("MT_RETENTION_MUTANT"), 0
for _, mutant in ipairs(MUTANTS) do
  if only and not mutant[1]:find(only, 1, true) then goto next end
  n = n + 1
  local wrong = try(n, mutant)
  print(("%s %d - noticed: %s"):format(wrong and "not ok" or "ok", n, mutant[1]))
  if wrong then print("  # " .. wrong) end
  io.stdout:flush()
  ::next::
end
print("1.." .. n)
