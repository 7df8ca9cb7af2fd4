#!/bin/sh
# R25: scripts that change again and again, in one `moontide serve` that is told of it each time: a bot, a reader and one in a
# process of its own. Memory, files and threads stay as they are after the first tenth. MT_SOAK_RELOADS: how often. TAP.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
reloads=${MT_SOAK_RELOADS:-200}
start_sandbox --generate 2000 --faults seed=9
cat >"$work/bot.lua" <<'END'
local moontide = require "moontide"
moontide.account():on("message", function() end)
moontide.every("1s", function() end)
END
cat >"$work/reader.lua" <<'END'
local moontide = require "moontide"
for c in moontide.account():conversations {} do for m in c:history { limit = 3 } do assert(m.id) end end
moontide.sleep "1h"
END
for script in bot reader; do cp "$work/$script.lua" "$work/$script.first"; done
{
  write_accounts
  echo 'job "bot" { script = "bot.lua", accounts = { "it" } }'
  echo 'job "reader" { script = "reader.lua", accounts = { "guest" } }'
  echo 'job "theirs" { script = "reader.lua", accounts = { "guest" }, isolated = true }'
} >"$work/moontide.lua"
chmod 600 "$work/moontide.lua"
(cd "$work" && exec "$MOONTIDE" serve) >"$work/out" 2>&1 &
serve=$!
wait_for "$work/out" "info serve: job 'theirs' runs" 1

look() { # sets memory (KiB), files, threads
  memory=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$serve/status")
  files=$(find "/proc/$serve/fd" -mindepth 1 | wc -l)
  threads=$(find "/proc/$serve/task" -mindepth 1 -maxdepth 1 | wc -l)
}
n=0
memory_at=0 files_at=0 threads_at=0
while [ $n -lt "$reloads" ]; do
  n=$((n + 1))
  for script in bot reader; do
    { cat "$work/$script.first" && echo "-- $n"; } >"$work/$script.lua"
  done
  kill -HUP $serve
  wait_for "$work/out" "info serve: reloaded" $n || break
  look
  [ $n -gt $((reloads / 10 + 10)) ] && continue # the most of the first tenth
  [ "$memory" -le "$memory_at" ] || memory_at=$memory
  [ "$files" -le "$files_at" ] || files_at=$files
  [ "$threads" -le "$threads_at" ] || threads_at=$threads
done
wait_for "$work/out" "info serve: job 'theirs' runs" $((n + 1))
began=$(lines "info serve: job '.*' runs" "$work/out")
check "each of $reloads reloads begins each script anew" "$n $began" "$reloads $((3 * reloads + 3))"
check "memory stays: $memory_at KiB, then $memory" $((memory <= memory_at + memory_at / 50)) 1
check "files stay: $files_at, then $files" $((files <= files_at + 2)) 1
check "threads stay: $threads_at, then $threads" $((threads <= threads_at)) 1
kill $serve
wait $serve
check "it ends well" $? 0
echo "1..$count"
