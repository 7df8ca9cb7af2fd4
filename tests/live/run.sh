#!/bin/sh
# A bot that is killed at random moments loses nothing: what it had not acknowledged comes again. And what a lost
# connection, a kick and a silent end do to it. TAP. MT_LIVE_N: kills (default 20); MT_LIVE_SEED.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
root=$PWD
bot=
trap '[ -z "$bot" ] || kill -9 "$bot" 2>/dev/null; cleanup' EXIT
kills=${MT_LIVE_N:-20}
seed=${MT_LIVE_SEED:-$(date +%j)}
start_sandbox --generate 100 --faults seed=9

# A place of its own for each cloud: configuration, state, logs.
begin() { # CLOUD
  cloud=$1
  mkdir "$work/$cloud"
  place=$work/$cloud
  cd "$place" || exit 1
  write_account it "$owner" 'password = env "TEST_PASSWORD"' >moontide.lua
  write_account guest guest 'password = env "TEST_PASSWORD"' >>moontide.lua
  chmod 600 moontide.lua
  XDG_STATE_HOME=$PWD/state
}
kick() { # USER: logged in on another device
  case $cloud in
    easemob) curl -s -X POST --data "$1 2" "$rest/sandbox/kick" ;;
    rongcloud) curl -s -X POST --data "$1 1" "$navigator/sandbox/rongcloud-kick" ;;
  esac >/dev/null
}
start_bot() { "$MOONTIDE" run "$root/tests/live/bot.lua" >>bot.log 2>>bot.err & bot=$!; }
for one in rongcloud easemob; do
  begin $one
  : >bot.log
  start_bot
  wait_for bot.log connected 1
  check "$cloud: the bot is online" $? 0
  "$MOONTIDE" run "$root/tests/live/talker.lua" -- $((kills * 20)) >sent.log 2>&1 &
  talker=$!
  killed=0
  while [ $killed -lt "$kills" ]; do
    online=$(lines connected bot.log)
    random 90
    sleep "0.0$((drawn + 10))"
    kill -9 "$bot" 2>/dev/null
    wait "$bot" 2>/dev/null
    killed=$((killed + 1))
    start_bot
    [ $((killed % 3)) -ne 0 ] || wait_for bot.log connected $((online + 1))
  done
  wait "$talker"
  check "$cloud: the talker has sent all" $? 0
  "$MOONTIDE" send -a guest --to "$owner" end >>sent.log
  wait "$bot"
  check "$cloud: the bot ends by itself" $? 0
  sed -n 's/^sent //p' sent.log | sort >want
  sed -n 's/^got \([^ ]*\) .*/\1/p' bot.log | sort >got
  lost=$(sort -u got | comm -23 want - | wc -l)
  check "$cloud: $(wc -l <want) messages, $killed kills, $(uniq -d got | wc -l) handled twice: none is lost" "$lost" 0

  : >bot.log
  start_bot
  wait_for bot.log connected 1
  curl -s -X POST "$rest/sandbox/cut" >/dev/null
  wait_for bot.log connected 2
  check "$cloud: a lost connection is made again" $? 0
  check "$cloud: and was told" "$(lines disconnected bot.log)" 1
  "$MOONTIDE" send -a guest --to "$owner" end >/dev/null
  wait "$bot"
  check "$cloud: and what came meanwhile is heard" $? 0

  : >bot.log
  : >bot.err
  start_bot
  wait_for bot.log connected 1
  kick "$owner"
  wait "$bot"
  check "$cloud: who is kicked does not come back, and says why" $? 1
  cp bot.err "$work/out"
  check "$cloud: in words" 1 1 "logged in on another device" "kicked.other_device"

  : >bot.log
  start_bot
  wait_for bot.log connected 1
  kill -TERM "$bot"
  wait "$bot"
  check "$cloud: SIGTERM ends a bot" $? 130
  # Commands beside a bot of the same user do not end its session.
  : >bot.log
  start_bot
  wait_for bot.log connected 1
  try "$MOONTIDE" send -a it --to guest "from the command"; check "$cloud: a command sends beside the bot" $status 0 "sent"
  try "$MOONTIDE" unread -a it --reset; check "$cloud: and resets" $status 0
  "$MOONTIDE" send -a guest --to "$owner" end >/dev/null
  wait "$bot"
  check "$cloud: the bot goes on" $? 0
  check "$cloud: and was not disturbed" "$(lines connected bot.log) $(lines disconnected bot.log)" "1 0"
done

# What follows is the way of a cloud whose queue holds so many messages and no more.
# Who reads a group's message while its sender is away is told when the sender comes back.
try "$MOONTIDE" run "$root/tests/live/readers.lua" -- join; check "the reader joins the group" $status 0
try "$MOONTIDE" run "$root/tests/live/readers.lua" -- ask; check "the sender asks for receipts and goes" $status 0
try "$MOONTIDE" run "$root/tests/live/readers.lua" -- read; check "it is read meanwhile" $status 0
try "$MOONTIDE" run "$root/tests/live/readers.lua" -- return; check "the sender comes back and hears how many" $status 0 "read by 1"
# An absence that the cloud's offline queue cannot hold (500 messages of single chats): the oldest come from history.
printf 'require("moontide").account("it"):conversation("group:777003"):send "member"\n' >join.lua
"$MOONTIDE" run join.lua
: >bot.log
"$MOONTIDE" run "$root/tests/live/gap.lua" >bot.log 2>bot.err & bot=$!
wait_for bot.log connected 1
"$MOONTIDE" run "$root/tests/live/flood.lua" -- 3 >sent.log
wait_for bot.log got 6
kill -STOP "$bot"
curl -s -X POST "$rest/sandbox/cut" >/dev/null
"$MOONTIDE" run "$root/tests/live/flood.lua" -- 620 >>sent.log
kill -CONT "$bot"
wait_for bot.log "connected gap" 1
check "what the queue could not hold is known" $? 0
wait_for bot.log got "$(lines sent sent.log)"
"$MOONTIDE" send -a guest --to "$owner" end >>sent.log
wait "$bot"
check "the bot ends by itself" $? 0
sed -n 's/^sent //p' sent.log | sed 's/ .*//' | sort >want
sed -n 's/^got \([0-9]*\) .*/\1/p' bot.log | sort >got
cp bot.log "$work/out"
check "all $(wc -l <want) messages are told, $(grep -c filled bot.log) of them from history" "$(comm -23 want got | wc -l)" 0
check "none of them twice" "$(uniq -d got | wc -l)" 0
check "each conversation in its order" "$(sed -n 's/^got \([0-9]*\) single.*/\1/p' bot.log | sort -c 2>&1 | wc -l)" 0
# A bot that was not running for as long: the next one knows since when.
"$MOONTIDE" run "$root/tests/live/flood.lua" -- 510 >sent.log
: >bot.log
"$MOONTIDE" run "$root/tests/live/gap.lua" >bot.log 2>bot.err & bot=$!
wait_for bot.log "connected gap" 1
check "the next process knows how long nobody was there" $? 0
wait_for bot.log got "$(lines sent sent.log)"
"$MOONTIDE" send -a guest --to "$owner" end >>sent.log
wait "$bot"
sed -n 's/^sent //p' sent.log | sed 's/ .*//' | sort >want
sed -n 's/^got \([0-9]*\) .*/\1/p' bot.log | sort >got
cp bot.log "$work/out"
check "all $(wc -l <want) messages are told, $(grep -c filled bot.log) of them from history" "$(comm -23 want got | wc -l)" 0
check "none of them twice" "$(uniq -d got | wc -l)" 0

# And when history gives nothing either, that is said.
: >bot.log
"$MOONTIDE" run "$root/tests/live/gap.lua" >bot.log 2>bot.err & bot=$!
wait_for bot.log connected 1
"$MOONTIDE" run "$root/tests/live/flood.lua" -- 1 >sent.log
wait_for bot.log got 4
kill -STOP "$bot"
curl -s -X POST "$rest/sandbox/cut" >/dev/null
"$MOONTIDE" run "$root/tests/live/flood.lua" -- 520 >>sent.log
curl -s -X POST --data "seed=9,no_roaming=1" "$rest/sandbox/faults" >/dev/null
kill -CONT "$bot"
wait_for bot.log "gap single:guest" 1
check "messages that nothing gives are told as a gap" $? 0
"$MOONTIDE" send -a guest --to "$owner" end >>sent.log
wait "$bot"
cp bot.log "$work/out"
cat bot.err >>"$work/out"
check "with the reason, and a line in the log" 0 0 "gap single:guest history.not_opened" "may be missing in single:guest"
check "what the queue held is told" "$(grep "^got" bot.log | grep -vc filled)" 507
curl -s -X POST --data "seed=9" "$rest/sandbox/faults" >/dev/null
echo "1..$count"
