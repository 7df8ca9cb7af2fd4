#!/bin/sh
# fuzz.sh NAME RUNS: replays the kept inputs of one fuzz target, then tries RUNS new ones. Prints TAP.
# MT_FUZZ_SEED: the seed (1 for a short run, the clock for a long one). A finding is written to build/fuzz/findings.
set -u
cd "$(dirname "$0")/../.."
name=$1
runs=$2
program=build/fuzz/bin/fuzz-$name
kept=tests/fuzz/corpus/$name
grown=build/fuzz/corpus/$name
mkdir -p build/fuzz/findings "$grown"
# Freed memory is kept from reuse for a while, but not so much of it that the limit on memory is about that.
export ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=32:allocator_release_to_os_interval_ms=200 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

if [ ! -x "$program" ]; then
  echo "not ok 1 - $program is there"
  echo "1..1"
  exit 1
fi
n=$(find "$kept" -type f 2>/dev/null | wc -l)
if [ "$n" -gt 0 ]; then
  if find "$kept" -type f -print0 | LC_ALL=C sort -z | xargs -0 "$program" -timeout=20 \
    -artifact_prefix="build/fuzz/findings/$name-" 2>&1 | sed 's/^/# /' >"build/fuzz/replay-$name.log" &&
    grep -q '^# Executed ' "build/fuzz/replay-$name.log" &&
    [ "$(grep -c '^# Executed ' "build/fuzz/replay-$name.log")" -eq "$n" ]; then
    echo "ok 1 - $n kept inputs"
  else
    echo "not ok 1 - $n kept inputs"
    tail -40 "build/fuzz/replay-$name.log"
  fi
else
  echo "ok 1 - kept inputs # SKIP $kept holds none"
fi

seeds=""
if [ "$runs" -lt 100000 ]; then
  seed=${MT_FUZZ_SEED:-1}
  grown=$(mktemp -d)
  trap 'rm -rf "$grown"' EXIT
else
  seed=${MT_FUZZ_SEED:-$(date +%s)}
  # What a loop keeps between two inputs looks like a leak to the look after each of them, and that look is slow: here it
  # is taken once, at the end, over everything.
  seeds=-detect_leaks=0
fi
[ "$n" -gt 0 ] && seeds="$seeds $kept"
[ -f "tests/fuzz/$name.dict" ] && seeds="$seeds -dict=tests/fuzz/$name.dict"
# shellcheck disable=SC2086
if "$program" -runs="$runs" -seed="$seed" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
  -artifact_prefix="build/fuzz/findings/$name-" "$grown" $seeds >"build/fuzz/run-$name.log" 2>&1; then
  done_n=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/run-$name.log")
  if [ "${done_n:-0}" -ge "$runs" ]; then
    echo "ok 2 - $done_n inputs, seed $seed"
  else
    echo "not ok 2 - only ${done_n:-0} of $runs inputs were tried, seed $seed"
  fi
else
  echo "not ok 2 - a finding with seed $seed (build/fuzz/findings)"
  grep -v '^#[0-9]' "build/fuzz/run-$name.log" | tail -40 | sed 's/^/# /'
fi
echo "1..2"
