#!/bin/sh
# make bench: moontide, the official SDK in Node and a bare libcurl loop read the same account from one sandbox, in one
# run. MT_BENCH_N: messages (default 200000). Prints one JSON object a line, then the ratios.
set -eu
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
bin=$(dirname "$MOONTIDE")
[ -d tests/conformance/node_modules/ws ] || (cd tests/conformance && npm ci --no-audit --no-fund >/dev/null 2>&1)
start_sandbox --generate "${MT_BENCH_N:-200000}" --faults seed=3
export NODE_PATH=$PWD/tests/conformance/node_modules
"$MOONTIDE" conversations -c "$work/moontide.lua" -a it --json >"$work/list"
targets=$(sed -n 's/^{"id":"\([a-z]*\):\([^"]*\)".*/\1 \2/p' "$work/list" |
  awk '{ print $2 ($1 == "single" ? "@easemob.com" : "@conference.easemob.com") }')

{
  "$bin/bench-measure" moontide "$MOONTIDE" export -c "$work/moontide.lua" -a it -o "$work/archive"
  # shellcheck disable=SC2086
  "$bin/bench-measure" floor "$bin/bench-floor" "$rest" "$owner" $targets
  "$bin/bench-measure" sdk node tests/bench/sdk_read.js "$rest" "$owner"
} 2>"$work/notes" | tee "$work/figures"
cat "$work/notes"
messages=$(sed -n 's/^sdk: \([0-9]*\) messages.*/\1/p' "$work/notes")
cpu() { sed -n "s/.*\"name\":\"$1\".*\"cpu_s\":\([0-9.]*\).*/\1/p" "$work/figures"; }
wall() { sed -n "s/.*\"name\":\"$1\",\"wall_s\":\([0-9.]*\).*/\1/p" "$work/figures"; }
awk -v n="$messages" -v m="$(cpu moontide)" -v s="$(cpu sdk)" -v f="$(cpu floor)" -v mw="$(wall moontide)" \
  -v sw="$(wall sdk)" 'BEGIN {
  printf "CPU seconds per million messages: moontide %.2f, floor %.2f, SDK %.2f\n", m*1e6/n, f*1e6/n, s*1e6/n
  printf "CPU: moontide / SDK %.3f, moontide / floor %.2f; wall: moontide / SDK %.3f\n", m/s, m/f, mw/sw }'
