#!/bin/sh
# Several processes of moontide serve with the same jobs, killed and frozen at random: every time is run once, none is left
# out (R11), every run is done, no two of one job at once, and what the jobs ask of a server is asked by their owner alone
# (R8, R9), and how long it takes until another process has a job (R10). TAP. MT_FLEET_TICKS, MT_FLEET_FAULTS,
# MT_FLEET_TAKEOVERS: how many; MT_FLEET_JOBS; MT_FLEET_SEED.
set -u
cd "$(dirname "$0")/../.."
root=$PWD
. tests/tools/sandbox.sh
. tests/tools/wall.sh
ticks=${MT_FLEET_TICKS:-400} faults=${MT_FLEET_FAULTS:-12} takeovers=${MT_FLEET_TAKEOVERS:-3}
seed=${MT_FLEET_SEED:-$(date +%s)}
JOBS=${MT_FLEET_JOBS:-20} # each has a rhythm of a second; 1,000 runs of each are kept
nodes= # pid by pid
died=0 # of themselves
trap 'for pid in $nodes; do kill -9 "$pid" 2>/dev/null; done; cleanup' EXIT
cd "$work" || exit 1
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
echo "# MT_FLEET_SEED=$seed"
node() { # LOG
  MT_WALL=$wall_file LD_PRELOAD=$wall_preload "$MOONTIDE" serve >>"$1" 2>>node.err &
  nodes="$nodes $!"
}
nth() { shift "$1"; echo "$1"; }
without() { # PID: of the nodes
  left=
  for pid in $nodes; do [ "$pid" = "$1" ] || left="$left $pid"; done
  nodes=$left
}
kill_node() { # PID
  if ! kill -9 "$1" 2>/dev/null; then died=$((died + 1)); fi
  wait "$1" 2>/dev/null
  without "$1"
}
end_nodes() {
  for pid in $nodes; do kill -CONT "$pid" 2>/dev/null; kill -TERM "$pid"; done
  for pid in $nodes; do wait "$pid" 2>/dev/null; done
  nodes=
}
go_on() { # WORD: who is left does what there is to do, and two times more of each job
  cp all.log before
  for job in $names; do wait_for all.log "$job: $1" $(($(lines "$job: $1" before) + 2)); done
}
at_least() { # NAME GOT WANTED
  check "$1: $2" "$([ "$2" -ge "$3" ] && echo enough)" enough
}
history() { # JOB: due in seconds, how, status of each run
  sqlite3 "state/moontide/jobs/$1.sqlite" "select (json_extract(value, '\$.due') / 1000) || ' ' || json_extract(value, '\$.how')
    || ' ' || json_extract(value, '\$.status') from entry where key like 'run:%' order by key"
}
# What the histories of all jobs say: times, twice begun, left out, not done although others came after.
judge() {
  for job in "$@"; do
    history "$job" | awk -v job="$job" '
      $2 == "asked" { next }
      $2 != "again" { n++; if ($1 in seen) twice++; seen[$1] = 1; if (!first || $1 < first) first = $1; if ($1 > last) last = $1 }
      $3 == "skipped" { done[$1] = 1; next } # it came while a run was in hand
      { hand = $1 } # the last may have been stopped at the end
      $3 == "done" { if ($1 in done) again++; done[$1] = 1 }
      END {
        for (due in seen) if (!(due in done) && due != hand) undone++
        print n + 0, twice + 0, n ? last - first + 1 - n + twice : 1, undone + 0, again + 0
      }'
  done | awk '{ n += $1; twice += $2; gaps += $3; undone += $4; again += $5 } END { print n + 0, twice + 0, gaps + 0, undone + 0, again + 0 }'
}

# ---- R11: four processes, one killed every 250 ms
echo 'print "tick"' >tick.lua
names=
for i in $(seq $JOBS); do
  names="$names j$i"
  echo "job \"j$i\" { script = \"tick.lua\", every = \"1s\", missed = \"all\" }"
done >moontide.lua
chmod 600 moontide.lua
: >all.log
: >node.err
kills=0 often=0 calms=0
for i in 1 2 3 4; do node all.log; done
for job in $names; do wait_for all.log "$job: tick" 1; done
began=$(real_ms)
while [ "$(real_ms)" -lt $((began + ticks * 1000 / JOBS + 2000)) ] ||
  [ $(($(wc -l <all.log) - $(grep -c 'was cut off' node.err))) -lt "$ticks" ]; do
  grown=$(($(wc -l <all.log) + JOBS / 4)) tries=0
  sleep 0.25
  # where nothing gets done, for the machine is busy, jobs would only be cut off again and again
  while [ "$(wc -l <all.log)" -lt $grown ] && [ $tries -lt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
  # shellcheck disable=SC2086
  kill_node "$(nth 1 $nodes)" # the oldest: each lives a second
  kills=$((kills + 1))
  node all.log
  # nor can anything be said of runs that take longer than processes live: those that were cut off so often may end once
  if [ "$(grep -c '(attempt 5 of' node.err)" -gt $often ]; then
    often=$(grep -c '(attempt 5 of' node.err)
    calms=$((calms + 1))
    go_on tick
  fi
done
between=$((($(real_ms) - began) / (kills > 0 ? kills : 1)))
go_on tick
end_nodes
# shellcheck disable=SC2046,SC2086
set -- $(judge $names)
echo "# $kills kills of one of four processes, one every $between ms, $calms rests from it, $1 times of $JOBS jobs"
echo "# runs cut off, by attempt: $(sed -n 's/.*was cut off: .*(attempt \([0-9]*\) of.*/\1/p' node.err | sort -n | uniq -c | awk '{ printf "%s: %d  ", $2, $1 }')"
grep -v 'waits: .*store.busy\|was cut off' node.err >out
at_least "R11: there were many times" "$1" "$ticks"
check "R11: none was begun twice" "$2" 0
check "R11: none was left out" "$3" 0
check "R11: each was run to its end" "$4" 0
check "R11: and once" "$5" 0
check "R11: no job was given up" "$(grep -c 'again and again' node.err)" 0
check "R11: no process ended by itself" $died 0

# ---- R8, R9: eight processes, killed or frozen for longer than anything takes; four times all of them at once, and with
# them every store. What a job does is counted by its own store and by a server.
rm -rf state
wall 0
start_sandbox --faults log=on
cat >work.lua <<L
local moontide = require "moontide"
local store = moontide.store
local job = ...
local token = ("%x-%d-%d"):format(math.random(1 << 62), moontide.now(), store.n or 0) -- of a state made in the same second the first alone may be the same
print("begin " .. token)
for _ = 1, 3 do
  moontide.http.get("$rest/effect?" .. job .. "=" .. token)
  store.n = (store.n or 0) + 1
  store:flush()
end
print("end " .. token)
L
names=
for i in 1 2 3 4 5 6; do
  names="$names w$i"
  echo "job \"w$i\" { script = \"work.lua\", every = \"1s\", missed = \"all\", args = { \"w$i\" }, grant = { http = { \"127.0.0.1\" } } }"
done >moontide.lua
: >all.log
: >node.err
died=0
for i in 1 2 3 4 5 6 7 8; do node all.log; done
wait_for all.log "w1: end" 1
most=4
[ "$faults" -ge 100 ] || most=2
kills=0 stops=0 restarts=0 frozen= # pid:second, those that are to go on then
thaw() { # whose time has come
  still=
  for one in $frozen; do
    if [ "$(date +%s)" -ge "${one#*:}" ]; then kill -CONT "${one%:*}"; else still="$still $one"; fi
  done
  frozen=$still
}
is_frozen() { case " $frozen" in *" $1:"*) return 0 ;; *) return 1 ;; esac; }
while [ $((kills + stops)) -lt "$faults" ]; do
  random 300
  sleep "0.$(printf %03d $((drawn + 100)))"
  thaw
  if [ $((kills + stops)) -ge $(((restarts + 1) * faults / 5)) ] && [ $restarts -lt $most ]; then
    for pid in $nodes; do kill -9 "$pid" || died=$((died + 1)); done
    for pid in $nodes; do wait "$pid" 2>/dev/null; done
    nodes= frozen=
    restarts=$((restarts + 1))
    for i in 1 2 3 4 5 6 7 8; do node all.log; done
    wait_for node.err "info serve: job 'w1' waits" $(($(lines "info serve: job 'w1' waits" node.err) + 1)) # they are there
  fi
  random 8
  # shellcheck disable=SC2086
  victim=$(nth $((drawn + 1)) $nodes)
  random 4
  # shellcheck disable=SC2086
  if [ "$drawn" = 0 ] && ! is_frozen "$victim" && [ "$(set -- $frozen; echo $#)" -lt 3 ]; then
    random 8
    kill -STOP "$victim"
    stops=$((stops + 1))
    frozen="$frozen $victim:$(($(date +%s) + (drawn == 0 && faults >= 100 ? 16 : 4)))"
  else
    still=
    for one in $frozen; do [ "${one%:*}" = "$victim" ] || still="$still $one"; done
    frozen=$still
    kill_node "$victim"
    kills=$((kills + 1))
    node all.log
  fi
done
for one in $frozen; do kill -CONT "${one%:*}"; done
go_on end
end_nodes
# shellcheck disable=SC2046,SC2086
set -- $(judge $names)
grep -v 'waits: .*store.busy\|was cut off' node.err >out
echo "# $kills kills and $stops freezes of one of eight processes, $restarts times all of them, $1 times of 6 jobs"
at_least "R8: there were many times" "$1" $((faults / 2))
check "R8: none was begun twice" "$2" 0
check "R8: none was left out" "$3" 0
check "R8: each was run to its end" "$4" 0
check "R8: no job was given up" "$(grep -c 'again and again' node.err)" 0
check "R8: no process ended by itself" $died 0
# A run that another one began after may not end any more: it was of a process that is dead.
awk '{ sub(":", "", $1) } $2 == "begin" { open[$1] = $3; begun[$3] = 1 }
  $2 == "end" { if (open[$1] != $3) print "late", $0; if (!($3 in begun)) print "unknown", $0; ended[$3]++; if (ended[$3] > 1) print "twice", $0 }' \
  all.log >out
check "R9: no two runs of one job at once" "$(wc -l <out)" 0
# Nor may it ask the server for anything.
curl -fsS --noproxy '*' "$rest/sandbox/log" | tr '{' '\n' | sed -n 's/.*"path":"\/effect","query":"\(w[0-9]*\)=\([^"&]*\)".*/\1 \2/p' >calls
awk '{ if ($1 in now && now[$1] != $2 && $2 in seen) print "stale", $0; now[$1] = $2; seen[$2]++ }' calls >out
check "R9: $(wc -l <calls) calls of the server, none by who had lost the job" "$(wc -l <out)" 0
awk 'NR == FNR { calls[$2]++; next } $2 == "end" && calls[$3] < 3 { print "few", $0 }' calls all.log >out
check "R8: every run that ended has made all of its calls" "$(wc -l <out)" 0
short=0 unknown=0
for job in $names; do
  done_n=$(history "$job" | grep -c ' done$')
  begun_n=$(history "$job" | wc -l)
  effects=$(sqlite3 "state/moontide/$job.sqlite" "select value from entry where key = 'n'")
  [ "${effects:-0}" -ge $((3 * done_n)) ] && [ "${effects:-0}" -le $((3 * begun_n)) ] || short=$((short + 1))
  [ "$(lines "$job: begin" all.log)" -le "$begun_n" ] || unknown=$((unknown + 1)) # it was durable before its script began
done
check "R8: every effect of a run that is done is kept, and none is made up" $short 0
check "R8: and no script was begun that the history does not know" $unknown 0

# ---- R10: from the end of one process to the run in another
rm -rf state
cat >turn.lua <<'L'
local moontide = require "moontide"
print("begin " .. moontide.now())
moontide.sleep "300ms"
print "end"
L
echo 'job "turn" { script = "turn.lua", every = "1s" }' >moontide.lua
: >node.err
turn=1
: >turn.1
node turn.1
wait_for turn.1 "turn: begin" 1
while [ $turn -le "$takeovers" ]; do
  : >"turn.$((turn + 1))"
  waiting=$(lines "info serve: job 'turn' waits" node.err)
  node "turn.$((turn + 1))"
  wait_for node.err "info serve: job 'turn' waits" $((waiting + 1))
  wait_for "turn.$turn" "turn: begin" $(($(lines "turn: begin" "turn.$turn") + 1))
  # shellcheck disable=SC2086
  holder=$(nth 1 $nodes)
  killed=$(real_ms)
  kill_node "$holder"
  wait_for "turn.$((turn + 1))" "turn: begin" 1
  echo $(($(sed -n 's/turn: begin //p' "turn.$((turn + 1))" | head -1) - killed))
  wait_for "turn.$((turn + 1))" "turn: end" 1
  turn=$((turn + 1))
done >takeovers
end_nodes
sort -n takeovers >out
at() { sed -n "$((($(wc -l <out) * $1 + 99) / 100))p" out; }
echo "# take-over after kill -9, $(wc -l <out) times: p50 $(at 50) ms, p99 $(at 99) ms, most $(tail -1 out) ms"
check "R10: each was taken over" "$(wc -l <out)" "$takeovers"
most=2500
[ "${MT_CONFIG:-release}" = release ] || most=8000
check "R10: within a look of a second, and what it takes to begin" "$([ "$(at 99)" -le $most ] && echo yes)" yes
echo "1..$count"
