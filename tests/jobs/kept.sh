# Sourced by run.sh: a disk that keeps nothing. A script begins when its run is durable, not before: else a crash would
# make the same time a second run.
${CC:-cc} -O1 -shared -fPIC -o "$work/sync.so" "$root/tests/jobs/sync.c" || exit 1
rm -rf state
echo 'print "tick"' >tick.lua
echo 'job "kept" { script = "tick.lua", every = "1s" }' | jobs
noon=$(($(real_ms) / 1000 * 1000))
wall 0 0 "$noon" # it stands: nothing is due
: >serve.log
: >serve.err
MT_SYNC_FAILS=$work/fails MT_WALL=$wall_file LD_PRELOAD="$wall_preload $work/sync.so" "$MOONTIDE" serve >>serve.log 2>>serve.err &
serve=$!
tries=0
until with_wall "$MOONTIDE" jobs resume kept >/dev/null 2>&1 && [ -s state/moontide/jobs/kept.sqlite ] || [ $tries -ge 100 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
: >fails
wall 1000 0 "$noon"
is "a run that cannot be kept is told" wait_for serve.err "error serve: job 'kept' waits: cannot use .*kept.sqlite" 1
check "and not begun" "$(lines "kept: tick" serve.log)" 0
rm fails
is "when it can be, it is" wait_for serve.log "kept: tick" 1
is "once" shows kept '"status":"done"'
check "for its time" "$(lines "kept: tick" serve.log)" 1
stop
wall 0
