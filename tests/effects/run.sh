#!/bin/sh
# R14: a message that was asked for once is sent once at most, whatever kills the process or its connection, and the audit
# accounts for each (R24): nothing is at the cloud that was not written down before. TAP. MT_EFFECTS_N: kills (20);
# MT_EFFECTS_SEED.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
root=$PWD
sender=
trap '[ -z "$sender" ] || kill -9 "$sender" 2>/dev/null; cleanup' EXIT
kills=${MT_EFFECTS_N:-20}
seed=${MT_EFFECTS_SEED:-$(date +%j)}
echo "# MT_EFFECTS_SEED=$seed"
: >"$work/out"
start_sandbox --generate 100 --faults seed=9

for one in rongcloud easemob; do
  cloud=$one
  mkdir "$work/$cloud"
  place=$work/$cloud
  cd "$place" || exit 1
  write_account it "$owner" 'password = env "TEST_PASSWORD"' >moontide.lua
  write_account guest guest 'password = env "TEST_PASSWORD"' >>moontide.lua
  chmod 600 moontide.lua
  XDG_STATE_HOME=$PWD/state
  lines=$((kills * 60))
  : >out
  killed=0 cut=0
  while [ "$killed" -lt "$kills" ]; do
    before=$(wc -l <out)
    "$MOONTIDE" run "$root/tests/effects/sender.lua" -- "$lines" "$cloud" >>out 2>>err &
    sender=$!
    # At work, unless it has nothing left to do: then some moments more, which are the dice.
    tries=0
    while [ "$(wc -l <out)" -le "$before" ] && kill -0 "$sender" 2>/dev/null && [ $tries -lt 600 ]; do
      tries=$((tries + 1))
      sleep 0.01
    done
    random 50
    sleep "$(printf '0.%03d' "$drawn")"
    random 4
    if [ "$drawn" = 0 ]; then
      curl -s -X POST "$rest/sandbox/cut" >/dev/null
      cut=$((cut + 1))
      random 100
      sleep "$(printf '0.%03d' "$drawn")"
    fi
    kill -9 "$sender" 2>/dev/null
    wait "$sender" 2>/dev/null
    sender=
    killed=$((killed + 1))
  done
  "$MOONTIDE" run "$root/tests/effects/sender.lua" -- "$lines" "$cloud" >>out 2>>err
  last=$?
  tail -3 err >"$work/out"
  check "$cloud: the last one ends by itself" $last 0

  "$MOONTIDE" history -a guest "$owner" --json >there 2>>err
  check "$cloud: what the other side has can be read" $? 0
  sed -n "s/.*\"text\":\"\($cloud [0-9]*\)\".*/\1/p" there | sort >texts
  sed -n "/\"text\":\"$cloud [0-9]/s/.*\"id\":\"\([^\"]*\)\".*/\1/p" there | sort >ids
  check "$cloud: $(wc -l <texts) of $lines lines arrived, $killed kills, $cut cuts: enough to say something" \
    "$([ "$(wc -l <texts)" -gt $((lines / 2)) ] && echo enough)" enough
  check "$cloud: none of them twice" "$(uniq -d texts | wc -l)" 0
  sed -n 's/^sent\t[0-9]*\t//p' out | sort >said
  check "$cloud: what was said to be sent is there" "$(comm -23 said ids | wc -l)" 0

  "$MOONTIDE" audit --json >audit 2>>err
  check "$cloud: the audit can be read" $? 0
  "$MOONTIDE" audit --verify >verify 2>>err
  check "$cloud: and is whole" $? 0
  grep '"type":"intent"' audit | grep -c '"verb":"send"' >intents
  grep '"type":"result"' audit | sed -n 's/.*"ids":\["\([^"]*\)".*/\1/p' | sort >results
  check "$cloud: what the audit calls done is there" "$(comm -23 results ids | wc -l)" 0
  check "$cloud: nothing was sent that was not written down before" \
    "$([ "$(wc -l <ids)" -le "$(cat intents)" ] && echo right)" right
  open=$(($(cat intents) - $(grep -c '"type":"result"' audit)))
  check "$cloud: who is there without a result is among the $open in doubt" \
    "$([ "$(comm -13 results ids | wc -l)" -le $((open + $(grep -c '"outcome":"unknown"' audit))) ] && echo right)" right
done
echo "1..$count"
