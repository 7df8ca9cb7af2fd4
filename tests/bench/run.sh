#!/bin/sh
# make bench: the figures of docs/performance.md, all in one run, from sandboxes on loopback. Prints one JSON object a
# line, and the ratios. MT_BENCH_N: messages of the comparison (default 200000); MT_BENCH_LARGE: of the large account
# (default 1000000); MT_BENCH_ROW: of the long conversation (default 72000).
set -eu
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
bin=$(dirname "$MOONTIDE")
export NODE_PATH=$PWD/tests/conformance/node_modules
row=${MT_BENCH_ROW:-72000}

measure() { "$bin/bench-measure" "$@" 2>>"$work/notes" | tee -a "$work/figures"; }
# figure NAME KEY: one number of the figures so far
figure() { sed -n "s/.*\"name\":\"$1\",.*\"$2\":\([0-9.]*\).*/\1/p" "$work/figures" | tail -1; }
part() { printf '\n%s\n' "$*"; }
another_sandbox() { # OPTIONS…
  kill "$sandbox_pid"
  wait "$sandbox_pid" 2>/dev/null || true
  start_sandbox "$@"
}
lines_of() { # ARCHIVE: a hash of every line of every conversation
  find "$1" -path '*/conv/*' -name '*.jsonl' | LC_ALL=C sort | xargs cat | sha256sum
}

part "1. The same account, read once by each: moontide (list, read, decode, archive), the official SDK in Node (list,
read, count), a bare libcurl loop that throws the pages away"
start_sandbox --generate "${MT_BENCH_N:-200000}" --faults seed=3
"$MOONTIDE" conversations -c "$work/moontide.lua" -a it --json >"$work/list"
targets=$(sed -n 's/^{"id":"\([a-z]*\):\([^"]*\)".*/\1 \2/p' "$work/list" |
  awk '{ print $2 ($1 == "single" ? "@easemob.com" : "@conference.easemob.com") }')
measure moontide "$MOONTIDE" export -c "$work/moontide.lua" -a it -o "$work/archive"
# shellcheck disable=SC2086
measure floor "$bin/bench-floor" "$rest" "$owner" $targets
measure sdk node tests/bench/sdk_read.js "$rest" "$owner"
messages=$(sed -n 's/^sdk: \([0-9]*\) messages.*/\1/p' "$work/notes")
awk -v n="$messages" -v m="$(figure moontide cpu_s)" -v s="$(figure sdk cpu_s)" -v f="$(figure floor cpu_s)" \
  -v mw="$(figure moontide wall_s)" -v sw="$(figure sdk wall_s)" 'BEGIN {
  printf "CPU seconds per million messages: moontide %.2f, floor %.2f, SDK %.2f\n", m*1e6/n, f*1e6/n, s*1e6/n
  printf "CPU: moontide / SDK %.3f, moontide / floor %.2f; wall: moontide / SDK %.3f\n", m/s, m/f, mw/sw }'

part "2. From the start of the program to its first request"
"$bin/bench-first" 40 "$work" "$MOONTIDE" | tee -a "$work/figures"

part "3. A large account: memory"
another_sandbox --generate "${MT_BENCH_LARGE:-1000000}" --faults seed=3
measure large "$MOONTIDE" export -c "$work/moontide.lua" -a it -o "$work/large"
measure large-again "$MOONTIDE" export -c "$work/moontide.lua" -a it -o "$work/large"
measure large-verify "$MOONTIDE" verify "$work/large"
rm -rf "$work/large" "$work/archive"

part "4. One conversation of $row messages, 50 ms added to every answer: page after page, and in time slices"
awk -v n="$row" 'BEGIN { srand(7); t = 1577836800000
  for (i = 0; i < n; i++) {
    d = rand(); t += d < 0.7 ? int(rand() * 20000) : d < 0.99 ? int(rand() * 600000) : int(rand() * 30000000)
    printf "{\"chat\":\"group\",\"conversation\":\"row\",\"from\":\"m%d\",\"ts\":%.0f,\"text\":\"line %d\"}\n", i % 50, t, i
  } }' >"$work/row.jsonl"
another_sandbox --load "$work/row.jsonl" --faults latency=50ms..50ms
measure sequential "$MOONTIDE" export -c "$work/moontide.lua" -a it -o "$work/sequential" --parallel 1
measure sliced "$MOONTIDE" export -c "$work/moontide.lua" -a it -o "$work/sliced"
awk -v a="$(figure sequential wall_s)" -v b="$(figure sliced wall_s)" \
  'BEGIN { printf "page after page %.1f s, in slices %.1f s: %.1f times as fast\n", a, b, a/b }'
if [ "$(lines_of "$work/sequential")" = "$(lines_of "$work/sliced")" ]; then echo "the archives hold the same bytes"
else echo "THE ARCHIVES DIFFER"; exit 1; fi

part "5. What was said"
cat "$work/notes"
