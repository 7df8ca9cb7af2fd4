# Sourced by run.sh: a run that its process never survives. It is made again, with rests in between that the clock of the
# next process measures, and given up for all to see.
rm -rf state
echo 'job "pill" { script = "slow.lua", every = "366d" }' | jobs
ahead=0 noon=$(real_ms)
start_at() { # with a clock that stands, so that no rest passes by itself
  : >serve.log
  : >serve.err
  wall $ahead 0 $noon
  MT_WALL=$wall_file LD_PRELOAD=$wall_preload "$MOONTIDE" serve >>serve.log 2>>serve.err &
  serve=$!
}
later() { ahead=$((ahead + $1)); wall $ahead 0 $noon; }
killed() { kill -9 $serve; wait $serve 2>/dev/null; serve=; }
asked() { with_wall "$MOONTIDE" jobs "$@" >out 2>&1; }
looks() { asked resume pill; } # serve looks at its jobs after that, and nothing else is changed by it
start_at
tries=0
until asked run pill || [ $tries -ge 100 ]; do # when serve has it
  tries=$((tries + 1))
  sleep 0.1
done
is "attempt 1 is asked for" wait_for serve.log "pill: begun" 1
killed
start_at
is "attempt 2 is made at once" wait_for serve.log "pill: begun" 1
attempt=2 rest=1000
while [ $attempt -lt 8 ]; do
  killed
  start_at
  is "attempt $attempt was cut off, too" wait_for serve.err "warn serve: job 'pill': its run [0-9]* was cut off: .*(attempt $attempt of 8)" 1
  later $((rest - 100))
  looks
  asked show pill --json
  check "the next one rests for $rest ms" "$(lines "pill: begun" serve.log)" 0 '"state":"waiting"' '"code":"run.cut_off"'
  later 200
  looks
  attempt=$((attempt + 1)) rest=$((2 * rest))
  is "attempt $attempt" wait_for serve.log "pill: begun" 1
done
killed
start_at
is "the last one is given up" wait_for serve.err "error serve: job 'pill': its run 8 was cut off: .*(attempt 8 of 8): it is given up" 1
is "the job is paused, and says what to type" wait_for serve.err "warn serve: job 'pill' is paused: .*: moontide jobs resume 'pill'" 1
asked show pill
check "its history says so" $? 0 "paused: failed" "lost" "(attempt 8 of 8): it is given up" "moontide jobs resume 'pill'"
later 3600000
asked show pill --json
check "it is not made again" "$(lines "pill: begun" serve.log)" 0 '"paused":"failed"'
asked resume pill
check "until a person says so" $? 0 "waiting"
asked run pill
is "then it is" wait_for serve.log "pill: ended" 1
stop
wall 0
