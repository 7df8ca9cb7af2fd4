#!/bin/sh
# Clocks that are wrong (R12): the cloud's beside this machine's, and a wall clock that is set while moontide serve runs.
# TAP.
set -u
cd "$(dirname "$0")/../.."
root=$PWD
. tests/tools/sandbox.sh
. tests/tools/wall.sh
serve=
trap '[ -z "$serve" ] || kill -9 "$serve" 2>/dev/null; cleanup' EXIT
HOUR=3600000 YEARS=315360000000 # ten of 365 days

# ---- the cloud's clock beside ours
faults() { curl -sS --noproxy '*' -X POST --data "$1" "$rest/sandbox/faults" >/dev/null; }
start_sandbox --generate 100
cp tests/clock/ask.lua "$work"
try "$MOONTIDE" run ask.lua
check "nothing is known of the cloud's clock before it was asked" $status 0 "before	false	-"
for cloud in easemob rongcloud; do
  write_account it "$owner" 'password = env "TEST_PASSWORD"' >"$work/moontide.lua"
  for case in '59s -59 ok' '-59s 59 ok' '61s -61 failed' '-61s 61 failed' '1h -3600 failed' '-1h 3600 failed' \
    '3650d -315360000 failed' '-3650d 315360000 failed'; do
    # shellcheck disable=SC2086 # three words
    set -- $case
    faults "clock=$1"
    try "$MOONTIDE" run ask.lua
    off=$(sed -n 's/^after	true	//p' "$work/out")
    check "$cloud: its clock is $1 off: $2 s" "$([ -n "$off" ] && [ $((off - $2)) -ge -2 ] && [ $((off - $2)) -le 2 ] && echo near)" near
    try "$MOONTIDE" doctor
    check "$cloud: the doctor says $3" "$(sed -n 's/.* clock  *\([a-z]*\) .*/\1/p' "$work/out")" "$3"
  done
  faults clock=none
  try "$MOONTIDE" run ask.lua
  check "$cloud: it does not say what time it is" $status 0 "after	false	-"
  # set while the script has its connection: nobody was asked meanwhile
  faults clock=0s
  wall 0
  cat >"$work/moved.lua" <<'L'
local moontide = require "moontide"
local account = moontide.account "it"
account:doctor()
print "ready"
local last = 0
for _ = 1, 3000 do
  local hours = math.floor((account:clock().off_ms + 1800000) / 3600000)
  if hours ~= last then print(hours) last = hours end
  if hours == -1 then return end
  moontide.sleep "10ms"
end
L
  (cd "$work" && with_wall "$MOONTIDE" run moved.lua >moved.log 2>&1) &
  script=$!
  wait_for "$work/moved.log" ready 1
  for step in "$HOUR 1" "$YEARS 87600" "-$HOUR -1"; do
    wall "${step% *}"
    wait_for "$work/moved.log" "${step#* }\$" 1
  done
  wait $script
  cp "$work/moved.log" "$work/out"
  check "$cloud: and it is known when ours is set afterwards" "$(tr '\n' ' ' <"$work/moved.log")" "ready 1 87600 -1 "
done

# ---- a wall clock that is set while serve runs
cd "$work" || exit 1
wall 0
echo 'print "tick"' >tick.lua
jobs() { cat >moontide.lua; chmod 600 moontide.lua; }
start() {
  : >serve.log
  : >serve.err
  MT_WALL=$wall_file LD_PRELOAD=$wall_preload "$MOONTIDE" serve >>serve.log 2>>serve.err & # its own pid, not a shell's
  serve=$!
}
stop() { kill -TERM "$serve"; wait "$serve"; serve=; }
is() { # NAME CONDITION…
  name=$1
  shift
  if "$@"; then check "$name" 0 0; else cat serve.log serve.err >out 2>/dev/null; check "$name" 1 0; fi
}
ask() { with_wall "$MOONTIDE" jobs "$@" >out 2>&1; }
look() { for _ in 1 2; do ask resume "$1"; done; } # serve has looked at the clock twice when this is over
state() { ask show "$1" --json; sed -n 's/.*"paused":\("[a-z]*"\|null\).*/\1/p' out; }
more() { wait_for serve.log "$1: tick" $(($(lines "$1: tick" serve.log) + 2)); } # it goes on
runs() { # JOB: due, how and status of each run
  sqlite3 "state/moontide/jobs/$1.sqlite" "select (json_extract(value, '\$.due') / 1000) || ' ' || json_extract(value, '\$.how')
    || ' ' || json_extract(value, '\$.status') from entry where key like 'run:%' order by key"
}
grant='grant = { "read", "delete" }, apply = true'
jobs <<L
job "clean" { script = "tick.lua", every = "1s", $grant }
job "plain" { script = "tick.lua", every = "1s" }
L
start
is "both run" more clean
is "each second" more plain
wall $HOUR
is "an hour forward: what deletes goes on" more clean
check "and is not paused" "$(state clean)" null
wall 0
look clean
before=$(lines "clean: tick" serve.log)
look clean
check "an hour back: no time comes twice" "$(lines "clean: tick" serve.log)" "$before"
check "and it is not paused" "$(state clean)" null
wall $HOUR
look clean
is "and forward again: it goes on" more clean
wall $HOUR 0
look plain
before=$(lines "plain: tick" serve.log)
look plain
check "a clock that stands still: nothing is due" "$(lines "plain: tick" serve.log)" "$before"
wall $HOUR
is "and goes on" more plain
for years in $YEARS -$YEARS; do
  ran=$(lines "clean: tick" serve.log)
  wall "$years"
  is "ten years ($years ms): what deletes is paused" wait_for serve.err "warn serve: job 'clean' is paused: it deletes, and the clock was set" 1
  check "for the clock" "$(state clean)" '"clock"'
  ask resume clean
  check "resume does not help" $? 1 "jobs.confirm" "the clock has jumped"
  ask run clean
  check "nor does run" $? 1 "jobs.confirm"
  is "what does not delete goes on" more plain
  after=$(lines "clean: tick" serve.log)
  is "and nothing was deleted in the new time ($ran, $after)" [ "$after" -le $((ran + 1)) ]
  wall $HOUR
  is "the right time again" more plain
  check "does not confirm by itself" "$(state clean)" '"clock"'
  ask confirm clean
  check "confirm does" $? 0 "waiting"
  is "then it runs" more clean
  : >serve.err
done
stop
for job in clean plain; do
  runs $job >out
  is "$job: its history is there" [ "$(wc -l <out)" -ge 10 ]
  runs $job >out
  check "$job: no time was run twice" "$(awk '{ print $1 }' out | sort | uniq -d | wc -l)" 0
  check "$job: and none failed" "$(grep -cE ' (failed|lost)$' out)" 0
done

# ---- put forward and back where people live
at() { wall $(($(date -u -d "$1" +%s) * 1000 - $(real_ms))); }
has_it() { # serve has its job: what asks would be in its way before
  tries=0
  until [ -s state/moontide/jobs/night.sqlite ] || [ $tries -ge 200 ]; do
    tries=$((tries + 1))
    sleep 0.05
  done
}
rm -rf state
echo 'job "night" { script = "tick.lua", cron = "30 2 * * *", timezone = "Europe/Berlin" }' | jobs
at "2026-03-29T00:30:00Z" # half past one; at two it is three
start
has_it
at "2026-03-29T00:59:00Z"
look night
check "put forward: not before" "$(lines "night: tick" serve.log)" 0
at "2026-03-29T01:00:01Z"
look night
is "it runs when the clocks are put forward" wait_for serve.log "night: tick" 1
at "2026-03-29T01:30:01Z"
look night
at "2026-03-29T02:30:01Z"
look night
check "once in that night" "$(lines "night: tick" serve.log)" 1
stop
rm -rf state
at "2026-10-25T00:00:00Z" # two o'clock, for the first time
start
has_it
at "2026-10-25T00:30:01Z"
look night
is "put back: it runs the first time that it is half past two" wait_for serve.log "night: tick" 1
at "2026-10-25T01:30:01Z"
look night
at "2026-10-25T02:30:01Z"
look night
check "and not the second time" "$(lines "night: tick" serve.log)" 1
at "2026-10-26T01:30:01Z"
look night
is "the next night again" wait_for serve.log "night: tick" 2
stop
runs night >out
check "as its history says" $? 0 "1792888200 schedule done" "1792978200"
echo "1..$count"
