# Sourced by run.sh: the nightly retention at both clouds, from its due time to what it leaves in the history. The cloud
# has the same wall clock: where the two differ nothing is deleted by age, which is tried, too.
view() { # how many messages the owner finds at the cloud
  next="x=1" n=0
  while [ -n "$next" ]; do
    curl -fsS --noproxy '*' "$base/sandbox/view?cloud=$cloud&user=$owner&$next" >view || return 1
    n=$((n + $(grep -c '"id"' view)))
    next=$(sed -n 's/.*"next":"\([^"]*\)".*/\1/p' view)
  done
  echo "$n"
}
world() { # 40 messages, ten days apart: 31 of them are older than 90 days, this night and the next
  at=$(date +%s) i=0 comma=
  printf '{"cloud":"%s","empty":true,"do":[' "$cloud"
  while [ $i -lt 40 ]; do
    printf '%s{"op":"put","chat":"single","conversation":"bob","from":"bob","time":%d000,"text":"message %d"}' "$comma" \
      $((at - (39 - i) * 864000 - 3600)) $i
    comma=,
    i=$((i + 1))
  done
  printf ']}'
}
nightly() { # ARGS MORE: the configuration
  {
    write_account it "$owner" 'password = env "TEST_PASSWORD"'
    cat <<L
job "nightly" {
  script = "retention.lua", accounts = { "it" }, cron = "0 3 * * *", timezone = "Asia/Shanghai",
  args = { older_than = "90d", archive = "$work/archive" $1 }, grant = { "read", "files", delete = { max_per_run = 1000 } } $2
}
L
  } | jobs
}
at_night() { wall $(($(date -u -d "$(date -u -d "$1 day" +%F) ${2:-19:00:05}" +%s) * 1000 - $(real_ms))); }
night() { # N [TIME]: the process begins shortly after three o'clock in Shanghai, N days from now; or at TIME
  at_night "$@"
  : >serve.log
  : >serve.err
  MT_WALL=$wall_file LD_PRELOAD=$wall_preload "$MOONTIDE" serve >>serve.log 2>>serve.err &
  serve=$!
}
ran() { # N STATUS: its N-th run has ended so
  shows nightly "\"number\":$1," && {
    tries=0
    until show nightly >out && ! grep -q '"status":"running"' out; do
      tries=$((tries + 1))
      [ $tries -le 300 ] || return 1
      sleep 0.1
    done
  } && sed 's/.*"runs":\[{\([^}]*\)}.*/\1/' out >last && grep -q "\"number\":$1,.*\"status\":\"$2\"" last
}
tell() { curl -fsS --noproxy '*' -o /dev/null --data "$1" "$base/sandbox/faults"; }

wall 0
MT_WALL=$wall_file LD_PRELOAD=$wall_preload
export MT_WALL LD_PRELOAD
start_sandbox --owner me
unset MT_WALL LD_PRELOAD
base=$navigator
cp "$root/scripts/retention.lua" .
for cloud in easemob rongcloud; do
  rm -rf state archive
  world >change.json
  curl -fsS --noproxy '*' -o /dev/null --data-binary @change.json "$base/sandbox/change"
  check "$cloud: forty messages" "$(view)" 40
  nightly "" ""
  night 1 18:59:00
  tries=0
  until [ -s state/moontide/jobs/nightly.sqlite ] || [ $tries -ge 600 ]; do # it has its job: what was due before is not made up
    tries=$((tries + 1))
    sleep 0.05
  done
  "$MOONTIDE" jobs resume nightly >/dev/null 2>&1
  at_night 1 19:00:01
  "$MOONTIDE" jobs resume nightly >/dev/null 2>&1 # it looks at its times after that
  is "$cloud: at three o'clock, without apply" ran 1 done
  check "$cloud: it has said what it would delete" "$(lines "nightly: 31 messages to delete" serve.log)" 1
  check "$cloud: and deleted nothing" "$(view)" 40
  nightly "" ", apply = true"
  kill -HUP $serve
  is "$cloud: that it deletes now wants to be confirmed" wait_for serve.err "warn serve: job 'nightly' is paused: it deletes, .*that it deletes: moontide jobs confirm 'nightly'" 1
  stop
  night 2
  is "$cloud: also when its time comes" shows nightly '"paused":"changed"'
  check "$cloud: nothing has run" "$(view)" 40
  try "$MOONTIDE" jobs
  check "$cloud: jobs says what to type" $status 0 "another one than was approved: that it deletes" "moontide jobs confirm 'nightly'"
  stop
  "$MOONTIDE" jobs confirm nightly >out 2>&1
  check "$cloud: confirmed" $? 0 "waiting"
  night 3
  is "$cloud: the next night it deletes" ran 2 done
  check "$cloud: what is older than 90 days" "$(lines "nightly: 31 messages deleted, and read back as gone" serve.log)" 1
  check "$cloud: and nothing else" "$(view)" 9
  stop
  night 4
  is "$cloud: the night after that" ran 3 done
  check "$cloud: there is nothing to delete" "$(lines "nightly: 0 messages deleted" serve.log)" 1
  check "$cloud: nor was anything" "$(view)" 9
  stop

  # a cloud whose clock is another one than ours
  curl -fsS --noproxy '*' -o /dev/null --data-binary @change.json "$base/sandbox/change"
  tell "clock=-1h"
  night 5
  is "$cloud: at a clock that differs it fails" ran 4 failed
  check "$cloud: for that reason" "$(grep -c '"code":"clock.differs"' last)" 1
  check "$cloud: nothing is deleted" "$(view)" 40
  is "$cloud: and it is paused" shows nightly '"paused":"failed"'
  try "$MOONTIDE" jobs show nightly
  check "$cloud: jobs says what to type then" $status 0 "paused: failed" "moontide jobs resume 'nightly'" "clock"
  stop
  tell ""
  night 6
  is "$cloud: it stays paused" shows nightly '"paused":"failed"'
  "$MOONTIDE" jobs resume nightly >out 2>&1
  check "$cloud: until it is resumed" $? 0 "waiting"
  stop
  night 7
  is "$cloud: then it deletes" ran 5 done
  check "$cloud: as before" "$(view)" 9
  stop

  # a policy in a file: other words in it are another job
  printf 'return older_than "20d"\n' >policy.lua
  nightly ", policy = \"$work/policy.lua\"" ", apply = true"
  "$MOONTIDE" jobs confirm nightly >out 2>&1
  printf 'return all()\n' >policy.lua
  night 8
  is "$cloud: another policy than was confirmed" wait_for serve.err "warn serve: job 'nightly' is paused: .*file .*/policy.lua: moontide jobs confirm" 1
  check "$cloud: deletes nothing" "$(view)" 9
  stop
done
