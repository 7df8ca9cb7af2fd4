#!/bin/sh
# Jobs with a schedule: moontide serve and moontide jobs, what is paused and confirmed, kill -9, several processes. TAP.
# MT_JOBS_S: seconds of the last (default 15).
set -u
cd "$(dirname "$0")/../.."
root=$PWD
. tests/tools/sandbox.sh
. tests/tools/wall.sh
seconds=${MT_JOBS_S:-15}
serves= serve=
trap 'for pid in $serve $serves; do kill -9 "$pid" 2>/dev/null; done; cleanup' EXIT
cd "$work" || exit 1
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME

echo 'print "tick"' >tick.lua
printf 'local m = require "moontide"\nprint "begun"\nm.sleep "2500ms"\nprint "ended"\n' >slow.lua
printf 'local m = require "moontide"\nm.sleep "1ms"\nerror "on purpose"\n' >bad.lua
jobs() { cat >moontide.lua; chmod 600 moontide.lua; }
start() { : >serve.log; : >serve.err; "$MOONTIDE" serve >>serve.log 2>>serve.err & serve=$!; }
stop() { kill -TERM "$serve"; wait "$serve"; stopped=$?; serve=; cat serve.log serve.err >out; }
is() { # NAME CONDITION…
  name=$1
  shift
  if "$@"; then check "$name" 0 0; else cat serve.log serve.err >out 2>/dev/null; check "$name" 1 0; fi
}
show() { "$MOONTIDE" jobs show "$1" --json 2>&1; }
shows() { # JOB TEXT: within half a minute
  tries=0
  until show "$1" >out && grep -qF -- "$2" out; do
    tries=$((tries + 1))
    [ $tries -le 300 ] || return 1
    sleep 0.1
  done
}

# ---- looking
for case in 'cron = "0 25 * * *"|the hour '"'25'"' holds 25' 'cron = "@daily", timezone = "Berlin"|no time zone' \
  'cron = "@daily", every = "1h"|either cron or every' 'every = "1h", missed = "al"|did you mean all' \
  'every = "1h", jiter = "1m"|did you mean' 'missed = "once"|belong to a job with' 'every = "1h", pause_after = -2|pause_after'; do
  printf 'job "x" { script = "tick.lua", %s }\n' "${case%|*}" | jobs
  try "$MOONTIDE" serve --check
  check "--check: ${case%|*}" $status 2 "${case#*|}"
done
jobs <<'L'
job "night" { script = "tick.lua", cron = "0 3 * * *", timezone = "Asia/Shanghai" }
job "always" { script = "tick.lua" }
L
try "$MOONTIDE" jobs; check "without serve, jobs lists what has a schedule" $status 0 "night" "waiting" "T19:00:00.000Z" "last -"
try "$MOONTIDE" jobs show nigth; check "an unknown job names the nearest" $status 2 "did you mean night"
try "$MOONTIDE" jobs sow night; check "an unknown word is wrong use" $status 2 "'sow' is not"
try "$MOONTIDE" jobs run night; check "run needs a serve" $status 1 "jobs.no_serve"
try "$MOONTIDE" jobs pause night; check "pause does not" $status 0 "paused: asked"
try "$MOONTIDE" jobs resume night --json; check "nor resume" $status 0 '"state":"waiting"' '"paused":null'

# ---- running
jobs <<'L'
job "tick" { script = "tick.lua", every = "1s" }
job "skips" { script = "slow.lua", every = "1s" }
job "queues" { script = "slow.lua", every = "1s", overlap = "queue" }
job "bad" { script = "bad.lua", every = "1s", pause_after = 2 }
job "night" { script = "tick.lua", cron = "0 3 * * *", timezone = "Asia/Shanghai" }
L
start
is "a job runs when it is due" wait_for serve.log "tick: tick" 3
is "one that fails is paused after so many times" wait_for serve.err "warn serve: job 'bad' is paused" 1
check "and no later" "$(lines "error serve: job 'bad'" serve.err)" 2
is "its history says why" shows bad '"code":"script.error","message":"bad.lua:3: on purpose"'
is "a time that comes while it runs is skipped" shows skips '"status":"skipped"'
is "or waits, if the job says so" shows queues '"how":"queued","status":"done"'
"$MOONTIDE" jobs run night >out 2>&1
check "run now" $? 0 "asked"
is "it has run" shows night '"how":"asked","status":"done"'
try "$MOONTIDE" jobs run skips; check "what runs is not run twice" $status 1 "jobs.running"
"$MOONTIDE" jobs pause tick >out 2>&1
check "pause" $? 0 "paused: asked"
before=$(lines "tick: tick" serve.log)
wait_for serve.log "skips: begun" $(($(lines "skips: begun" serve.log) + 1))
check "a paused job does not run" "$(lines "tick: tick" serve.log)" "$before"
"$MOONTIDE" jobs resume tick >out 2>&1
check "resume" $? 0 "waiting"
is "it runs again, and nothing is made up for" wait_for serve.log "tick: tick" $((before + 2))
try "$MOONTIDE" jobs; check "jobs lists them" $status 0 "tick" "bad                  paused: failed" "queues"
sed -i 's/job "tick".*/job "tick" { script = "tick.lua", cron = "0 3 1 1 *" }/' moontide.lua
kill -HUP $serve
is "SIGHUP changes the times" shows tick '"when":"0 3 1 1 * UTC"'
"$MOONTIDE" serve >two.log 2>two.err & serves=$!
wait_for two.err "info serve: job '.*' waits: .*in use by another process" 5
check "a second process waits for the jobs of the first" $? 0
wait_for serve.log "queues: begun" $(($(lines "queues: begun" serve.log) + 1))
kill -9 $serve
wait $serve 2>/dev/null
serve=$serves serves=
wait_for two.err "warn serve: job 'queues': its run [0-9]* was cut off" 1
check "and takes them over when that is killed, within seconds" $? 0
wait_for two.log "queues: ended" 1
check "what was cut off is run again" $? 0
is "and called so" shows queues '"how":"again"'
stop
check "SIGTERM ends it" $stopped 0

# ---- what deletes
rm -rf state
grant='grant = { "read", "delete" }, apply = true'
echo "job \"clean\" { script = \"tick.lua\", every = \"1s\", $grant }" | jobs
start
is "a new job that deletes runs as it was declared" wait_for serve.log "clean: tick" 2
stop
start
is "and after a restart" wait_for serve.log "clean: tick" 2
stop
echo 'print "another"' >>tick.lua
start
is "with another script it is paused" wait_for serve.err "warn serve: job 'clean' is paused: it deletes, and another one than was approved is: script: moontide jobs confirm" 1
for word in run resume; do
  try "$MOONTIDE" jobs $word clean; check "$word does not help" $status 1 "jobs.confirm"
done
check "it has not run" "$(lines "clean: " serve.log)" 0
"$MOONTIDE" jobs confirm clean >out 2>&1
check "confirm does" $? 0 "waiting"
is "then it runs" wait_for serve.log "clean: another" 1
sed -i 's/grant = /args = { "more" }, grant = /' moontide.lua
kill -HUP $serve
is "other arguments pause it, too" wait_for serve.err "warn serve: job 'clean' is paused" 2
stop
try "$MOONTIDE" jobs confirm clean; check "confirm without serve" $status 0 "waiting"
start
is "is the same" wait_for serve.log "clean: tick" 1
stop
# each part of what was approved, by its name; confirmed again in between
echo 'return all()' >p.lua
{
  cat <<'L'
account "desk" { provider = "easemob", appkey = "sandbox#demo", user = "desk", token = "t", rest = "http://127.0.0.1:1", websocket = "ws://127.0.0.1:1/" }
L
  echo "job \"clean\" { script = \"tick.lua\", every = \"1s\", accounts = { \"desk\" }, args = { a = 1, b = 2, c = 3, d = 4, policy = \"p.lua\" }, $grant }"
} | jobs
"$MOONTIDE" jobs confirm clean >out 2>&1
for i in 1 2 3; do # the order in which Lua has the arguments is another one each time
  start
  is "the same job is the same, time $i" wait_for serve.log "clean: another" 1
  stop
done
version=$("$MOONTIDE" --version | sed 's/.* //')
LC_ALL=C sed "s/$(echo "$version" | sed 's/\./\\./g')/$(echo "$version" | tr 0-9 1-90)/g" "$MOONTIDE" >upgraded
chmod +x upgraded
part() { # NAME: it is paused for this alone, says so and what to type, and has not run
  is "$1: paused" wait_for serve.err "warn serve: job 'clean' is paused: it deletes, and another one than was approved is: $1: moontide jobs confirm 'clean'" 1
  ran=$(lines "clean: another" serve.log)
  try "$MOONTIDE" jobs show clean
  check "$1: and what to type" $status 0 "another one than was approved: $1; when that is right: moontide jobs confirm 'clean'"
  "$MOONTIDE" jobs confirm clean >out 2>&1
  check "$1: confirmed" $? 0 "waiting"
  is "$1: then it runs" wait_for serve.log "clean: another" $((ran + 1))
}
installed=$MOONTIDE
MOONTIDE=$PWD/upgraded
start
part "moontide itself"
check "$(basename "$MOONTIDE"): it had not run before" "$ran" 0
stop
MOONTIDE=$installed
start
part "moontide itself"
: >serve.err
echo 'return newest(0)' >p.lua # while it runs, and nobody tells the process
is "file p.lua, seen when its time comes" wait_for serve.err "warn serve: job 'clean' is paused: " 1
show clean >out
check "no run was begun and taken back" "$(sed 's/.*"runs":\[{\([^}]*\)}.*/\1/' out | grep -c '"status":"done"')" 1
part "file p.lua"
: >serve.err
rm p.lua
part "file p.lua"
for change in 'grant|s/"delete" }/"delete", "send" }/' 'arguments|s/b = 2/b = 3/' 'accounts|s/accounts = { "desk" }/accounts = { "*" }/'; do
  sed -i "${change#*|}" moontide.lua
  : >serve.err
  kill -HUP $serve
  part "${change%%|*}"
done
stop
# what was changed, and nobody has looked at yet
echo 'return all()' >p.lua
echo "job \"rare\" { script = \"tick.lua\", every = \"366d\", args = { policy = \"p.lua\" }, $grant }" | jobs
start
runs_rare() { "$MOONTIDE" jobs run rare >out 2>&1; }
tries=0
until runs_rare || [ $tries -ge 100 ]; do # when serve has it
  tries=$((tries + 1))
  sleep 0.1
done
is "as it was declared it runs when it is asked for" wait_for serve.log "rare: another" 1
is "to its end" shows rare '"status":"done"'
echo 'return newest(0)' >p.lua
runs_rare
check "not after a change that nobody has looked at yet" $? 1 "jobs.confirm" "file p.lua"
check "and did not" "$(lines "rare: another" serve.log)" 1
stop
echo "job \"clean\" { script = \"tick.lua\", every = \"1s\", args = { \"more\" }, $grant }" | jobs
cp bad.lua tick.lua
try "$MOONTIDE" jobs confirm clean; check "confirmed before it is started" $status 0 "waiting"
start
is "what deletes is paused after its first failure" wait_for serve.err "warn serve: job 'clean' is paused: it has failed" 1
stop
printf 'job "try" { script = "slow.lua", every = "1h", grant = { "read", "delete" } }\n' | jobs
"$MOONTIDE" jobs >/dev/null 2>&1
start
tries=0
until "$MOONTIDE" jobs run try >/dev/null 2>&1 || [ $tries -ge 100 ]; do # when serve has it
  tries=$((tries + 1))
  sleep 0.1
done
is "what only shows is not what deletes" wait_for serve.log "try: ended" 1
sed -i 's/"delete" }/"delete" }, apply = true/' moontide.lua
kill -HUP $serve
is "until it is told to apply" wait_for serve.err "warn serve: job 'try' is paused: it deletes" 1
stop

# ---- what kills its process
. "$root/tests/jobs/cut_off.sh"

# ---- what cannot be kept
. "$root/tests/jobs/kept.sh"

# ---- the nightly retention
. "$root/tests/jobs/retention.sh"

# ---- the example of docs/serve.md, as it stands there
awk '/^```lua$/ { n++; inside = n == 4; next } /^```$/ { inside = 0 } inside' "$root/docs/serve.md" >guide.lua
cat >>guide.lua <<'L'
account "desk" { provider = "easemob", appkey = "sandbox#demo", user = "desk", token = "t", rest = "http://127.0.0.1:1", websocket = "ws://127.0.0.1:1/" }
L
chmod 600 guide.lua
cp slow.lua report.lua
cp slow.lua nightly.lua
try "$MOONTIDE" serve --check -c guide.lua; check "the guide's jobs are good" $status 0 "job 'report'" "job 'nightly'"
try "$MOONTIDE" jobs -c guide.lua; check "and listed" $status 0 "report" "nightly"

# ---- four processes, one killed again and again: every time is run once, none is left out
rm -rf state
echo 'print "tick"' >tick.lua
echo 'job "each" { script = "tick.lua", every = "1s", missed = "all" }' | jobs
: >four.log
node() { "$MOONTIDE" serve >>four.log 2>>four.err & started=$!; }
serves=
for i in 1 2 3 4; do node; serves="$serves $started"; done
kills=0
until_s=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt $until_s ]; do
  sleep 0.25
  # shellcheck disable=SC2086
  set -- $serves
  kill -9 "$1"
  wait "$1" 2>/dev/null
  kills=$((kills + 1))
  shift
  node
  serves="$* $started"
done
wait_for four.log "each: tick" "$seconds" # who is left goes on
for pid in $serves; do kill -TERM "$pid"; done
for pid in $serves; do wait "$pid"; done
serves=
sqlite3 state/moontide/jobs/each.sqlite "select json_extract(value, '\$.due') || ' ' || json_extract(value, '\$.how')
  || ' ' || json_extract(value, '\$.status') from entry where key like 'run:%' order by key" >runs
ticks=$(awk '$2 != "again" { print $1 }' runs | sort -n)
count_of() { echo "$ticks" | wc -l; }
first=$(echo "$ticks" | head -1) last=$(echo "$ticks" | tail -1)
cp runs out
check "$kills kills of one of four: $(count_of) times, none twice" "$(echo "$ticks" | uniq -d | wc -l)" 0
check "and none left out" "$(count_of)" $(((last - first) / 1000 + 1))
is "and there were many" [ "$(count_of)" -ge $((seconds / 3)) ]
undone=$(awk '$3 == "done" { done[$1] = 1 } { seen[$1] = 1 } END { for (due in seen) if (!(due in done)) print due }' runs | wc -l)
is "each was run to its end, but perhaps the last ($undone)" [ "$undone" -le 1 ]
echo "1..$count"
