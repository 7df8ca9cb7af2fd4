#!/bin/sh
# R22: what an isolated script does does not reach the one beside it. The p99 of a tick of 10 ms with a page of history
# is at most twice as long while the other attacks; each in the best of three tries, the machine may be busy. TAP.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
case $MOONTIDE in *asan*)
  echo "1..0 # SKIP a sanitizer is slower than any neighbour"
  exit 0 ;;
esac
start_sandbox --generate 2000 --faults seed=9
cp tests/neighbours/*.lua "$work"

# measure ATTACK: the victim's p99, p50, longest and number of ticks in $p99 $p50 $longest $n; $attacked: how often it was begun
measure() {
  {
    write_accounts
    echo 'job "victim" { script = "victim.lua", accounts = { "it" } }'
    [ "$1" = none ] ||
      echo "job \"attacker\" { script = \"attack.lua\", accounts = { \"guest\" }, args = { how = \"$1\" }, isolated = true }"
  } >"$work/moontide.lua"
  chmod 600 "$work/moontide.lua"
  (cd "$work" && exec "$MOONTIDE" serve) >"$work/lines" 2>&1 &
  serve=$!
  wait_for "$work/lines" "victim: measured" 1
  kill $serve
  wait $serve
  # shellcheck disable=SC2046 # four numbers
  set -- "$1" $(sed -n 's/^victim: measured //p' "$work/lines") 0 0 0 0
  p99=$2 p50=$3 longest=$4 n=$5
  attacked=$(grep -c "'attacker' runs" "$work/lines")
  grep -v ': x*$' "$work/lines" | cut -c1-200 >"$work/out"
}

measure none
usual=$p99
check "alone it has its ticks" $((n > 100)) 1
echo "# alone: p50 $p50 ms, p99 $p99 ms, longest $longest ms, $n ticks"
for attack in $(sed -n 's/^function attacks\.\([a-z]*\).*/\1/p' tests/neighbours/attack.lua); do
  alone=$usual
  for try in 1 2 3; do
    measure "$attack"
    [ "$p99" -gt $((alone * 2)) ] || break
    echo "# $attack, try $try: p99 $p99 ms, alone $alone ms"
    [ $try = 3 ] && break
    measure none # what is possible at this moment
    alone=$p99
  done
  check "$attack: the p99 beside it is at most twice as long" "$((p99 > 0 && p99 <= alone * 2)) $((attacked > 0))" "1 1"
  echo "# $attack: p50 $p50 ms, p99 $p99 ms, longest $longest ms, $n ticks"
done
echo "1..$count"
