#!/bin/sh
# make bench: the figures of docs/performance.md, all in one run, from sandboxes on loopback. Prints one JSON object a
# line, and the ratios. MT_BENCH_N: messages of the comparison (default 200000); MT_BENCH_LARGE: of the large account
# (default 1000000); MT_BENCH_ROW: of the long conversation (default 72000); MT_BENCH_SESSIONS: live sessions (default
# 10000), MT_BENCH_RAMP: connections begun in a second (default 500); MT_BENCH_ECHO: messages a second (default 2000).
# MT_BENCH_ONLY=live: parts 5 and 6 alone; =rongcloud: parts 7 to 9; =retention: part 10.
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
  [ -z "$sandbox_pid" ] || kill "$sandbox_pid"
  wait "$sandbox_pid" 2>/dev/null || true
  start_sandbox "$@"
}
lines_of() { # ARCHIVE: a hash of every line of every conversation
  find "$1" -path '*/conv/*' -name '*.jsonl' | LC_ALL=C sort | xargs cat | sha256sum
}

# read_by_both PREFIX SDK_SCRIPT PLACE: the account of the sandbox by moontide and by the SDK, and the ratios
read_by_both() {
  measure "$1moontide" "$MOONTIDE" export -c "$work/moontide.lua" -a it -o "$work/$1archive"
  measure "$1sdk" node "$2" "$3" "$owner"
  messages=$(sed -n 's/^sdk: \([0-9]*\) messages.*/\1/p' "$work/notes" | tail -1)
  awk -v n="$messages" -v m="$(figure "$1moontide" cpu_s)" -v s="$(figure "$1sdk" cpu_s)" \
    -v mw="$(figure "$1moontide" wall_s)" -v sw="$(figure "$1sdk" wall_s)" 'BEGIN {
    printf "CPU seconds per million messages: moontide %.2f, SDK %.2f\n", m*1e6/n, s*1e6/n
    printf "moontide / SDK: CPU %.3f, wall %.3f\n", m/s, mw/sw }'
}
# said KEY: a number of the JSON object that was printed last
said() { grep '^{' "$work/notes" | tail -1 | sed -n "s/.*\"$1\":\"\{0,1\}\([0-9a-f]*\).*/\1/p"; }
# retain NAME: what `moontide retention` takes to plan (NAME-plan) and to apply (NAME); how many it deleted in $deleted
retain() {
  measure "$1-plan" "$MOONTIDE" retention -c "$work/moontide.lua" -a it --older-than 90d --archive "$work/$1" --json
  measure "$1" "$MOONTIDE" retention -c "$work/moontide.lua" -a it --older-than 90d --archive "$work/$1" --json \
    --plan "$(said plan)" --apply --max 100000000
  deleted=$(said deleted)
}
wait_online() { # FILE PID
  for _ in $(seq 600); do
    if grep -q online "$1"; then return; fi
    kill -0 "$2" || return 1
    sleep 0.1
  done
  return 1
}
ask() { # NAME PID
  wait_online "$work/$1.out" "$2"
  "$bin/bench-echo" "$1" "${rest##*:}" "$owner" "$2" "$sandbox_pid" "${MT_BENCH_ECHO:-2000}" 10 50 "$cloud" | tee -a "$work/figures"
  kill "$2"
  wait "$2" || true
}
resident() { # SESSIONS: KiB of a script with so many live accounts
  for i in $(seq "$1"); do write_account "m$i" "m$i" 'password = env "TEST_PASSWORD"'; done >"$work/many.conf"
  chmod 600 "$work/many.conf"
  : >"$work/many.out"
  "$MOONTIDE" run -c "$work/many.conf" tests/bench/many.lua -- "$1" >"$work/many.out" 2>>"$work/notes" &
  pid=$!
  wait_online "$work/many.out" $pid
  sleep 3
  sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status
  kill $pid
  wait $pid || true
}
# echo_by_both PREFIX SDK_SCRIPT PLACE SESSIONS: the echo by a Lua handler and by the SDK, and what SESSIONS cost each
echo_by_both() {
  "$MOONTIDE" run -c "$work/moontide.lua" tests/bench/echo.lua >"$work/$1echo-moontide.out" 2>>"$work/notes" &
  ask "$1echo-moontide" $!
  node "$2" "$3" "$owner" >"$work/$1echo-sdk.out" 2>>"$work/notes" &
  ask "$1echo-sdk" $!
  few=$(resident 50)
  many=$(resident 1050)
  node --expose-gc "$2" "$3" "$owner" "$4" 2>>"$work/notes" | tee -a "$work/figures"
  awk -v m="$(figure "$1echo-moontide" messages_per_cpu_s)" -v s="$(figure "$1echo-sdk" messages_per_cpu_s)" \
    -v p="$(figure "$1echo-moontide" p99_ms)" -v sp="$(figure "$1echo-sdk" p99_ms)" -v few="$few" -v many="$many" \
    -v sk="$(figure "sdk-$1sessions" kib_each)" 'BEGIN {
    mk = (many - few) / 1000
    printf "p99: moontide %.2f ms (at most 10), SDK %.2f ms\n", p, sp
    printf "messages per CPU second: moontide %.0f, SDK %.0f: %.1f times\n", m, s, m / s
    printf "KiB for each session of a script: moontide %.1f, SDK %.1f; sessions per GB: %.0f and %.0f: %.1f times\n",
      mk, sk, 1048576 / mk, 1048576 / sk, sk / mk }'
}

if [ -z "${MT_BENCH_ONLY:-}" ]; then
part "1. The same account, read once by each: moontide (list, read, decode, archive), the official SDK in Node (list,
read, count), a bare libcurl loop that throws the pages away"
start_sandbox --generate "${MT_BENCH_N:-200000}" --faults seed=3
"$MOONTIDE" conversations -c "$work/moontide.lua" -a it --json >"$work/list"
targets=$(sed -n 's/^{"id":"\([a-z]*\):\([^"]*\)".*/\1 \2/p' "$work/list" |
  awk '{ print $2 ($1 == "single" ? "@easemob.com" : "@conference.easemob.com") }')
read_by_both "" tests/bench/sdk_read.js "$rest"
# shellcheck disable=SC2086
measure floor "$bin/bench-floor" "$rest" "$owner" $targets
awk -v n="$messages" -v m="$(figure moontide cpu_s)" -v f="$(figure floor cpu_s)" 'BEGIN {
  printf "CPU: floor %.2f seconds per million messages; moontide / floor %.2f\n", f*1e6/n, m/f }'

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

fi
case ${MT_BENCH_ONLY:-} in rongcloud | retention) ;; *)
part "5. Live sessions in one process: memory for each, all cut at once and back, and the longest delay of a timer of 10 ms"
for kind in plain tls; do
  "$bin/bench-sessions" $kind "${MT_BENCH_SESSIONS:-10000}" "${MT_BENCH_RAMP:-500}" | tee -a "$work/figures"
done
awk -v p="$(figure sessions-plain kib_each)" -v t="$(figure sessions-tls kib_each)" 'BEGIN {
  printf "KiB for each session: plain %.1f (at most 12), TLS %.1f (at most 48)\n", p, t }'

part "6. An echo of 2,000 messages a second: a Lua handler, then the same on the official SDK in Node"
another_sandbox
echo_by_both "" tests/bench/sdk_echo.js "$rest" 200
esac

case ${MT_BENCH_ONLY:-} in live | retention) ;; *)
cloud=rongcloud
part "7. RongCloud: the same account, read once by moontide and once by its SDK in Node"
another_sandbox --generate "${MT_BENCH_N:-200000}" --faults seed=3
read_by_both rong- tests/bench/sdk_rong_read.js "$navigator"

part "8. RongCloud: live sessions in one process"
"$bin/bench-sessions" rongcloud "${MT_BENCH_SESSIONS:-10000}" "${MT_BENCH_RAMP:-500}" | tee -a "$work/figures"
awk -v p="$(figure sessions-rongcloud kib_each)" 'BEGIN { printf "KiB for each session: %.1f (at most 12)\n", p }'

part "9. RongCloud: an echo of 2,000 messages a second, as part 6"
another_sandbox
echo_by_both rong- tests/bench/sdk_rong_echo.js "$navigator" 20
esac

case ${MT_BENCH_ONLY:-} in "" | retention)
part "10. Retention of what is older than 90 days, of a year: plan; archive, verify, delete, audit, read back"
for cloud in easemob rongcloud; do
  for n in $((${MT_BENCH_LARGE:-1000000} / 10)) "${MT_BENCH_LARGE:-1000000}"; do
    another_sandbox --generate "$n" --clouds "$cloud" --faults seed=3,span=365d
    retain "retention-$cloud-$n"
  done
  awk -v d="$deleted" -v c="$cloud" -v s="$(figure "retention-$cloud-$n" wall_s)" \
    -v a="$(figure "retention-$cloud-$((n / 10))" peak_mb)" -v b="$(figure "retention-$cloud-$n" peak_mb)" 'BEGIN {
    printf "%s: %d messages deleted in %.1f s, %.0f a second; peak memory %.0f MB for a tenth, %.0f MB for all\n", c, d, s, d / s, a, b }'
done ;;
esac

case ${MT_BENCH_ONLY:-} in "" | status)
part "11. What being looked at costs: 1,000 accounts in one serve, scraped"
sh tests/status/cost.sh ;;
esac

case ${MT_BENCH_ONLY:-} in "" | retention)
part "12. The audit itself: 1,000,000 records"
"$bin/bench-audit" "$work/audit" "${MT_BENCH_LARGE:-1000000}" ;;
esac

part "13. What was said"
cat "$work/notes"
