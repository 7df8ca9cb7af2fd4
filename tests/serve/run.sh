#!/bin/sh
# moontide serve: several scripts at one account, what fails beside what does not, SIGHUP, SIGTERM, systemd, kill -9, and
# that weeks leave memory flat. TAP. MT_SERVE_N: handlers for the last (default 100000).
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
root=$PWD
serve= notified= hook=
trap '[ -z "$serve" ] || kill -9 "$serve" 2>/dev/null; [ -z "$notified" ] || kill "$notified" 2>/dev/null; [ -z "$hook" ] || kill "$hook" 2>/dev/null; cleanup' EXIT
many=${MT_SERVE_N:-100000}
messages=600
start_sandbox --generate 100 --faults seed=9
write_account guest guest 'password = env "TEST_PASSWORD"' >>"$work/moontide.lua"
cp "$work/moontide.lua" "$work/accounts.lua"
cp -R "$root"/scripts/bots/*.lua "$root"/tests/serve/*.lua "$work"
cd "$work" || exit 1
printf 'local good = 1\nlocal x = = good\n' >broken.lua
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=4 # what was freed is not to look as if it were held
export ASAN_OPTIONS

jobs() { cp accounts.lua moontide.lua; cat >>moontide.lua; }
start() { : >serve.log; : >serve.err; "$MOONTIDE" serve >>serve.log 2>>serve.err & serve=$!; }
stop() { kill -TERM "$serve"; wait "$serve"; stopped=$?; serve=; cat serve.log serve.err >out; }
say() { "$MOONTIDE" send -a guest --to "$owner" "$1" >sent.log 2>&1; }
rss() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }
is() { # NAME CONDITION…
  name=$1
  shift
  if "$@"; then check "$name" 0 0; else cat serve.log serve.err >out 2>/dev/null; check "$name" 1 0; fi
}
answer() { "$MOONTIDE" history -a guest "$owner" --limit 1 >answer.log 2>&1; grep -qF "$1" answer.log; }
answered() { # TEXT: the newest message, within half a minute
  tries=0
  until answer "$1"; do tries=$((tries + 1)); [ $tries -le 300 ] || return 1; sleep 0.1; done
}

# ---- looking only
jobs </dev/null
try "$MOONTIDE" serve; check "without a job it says what one looks like" $status 2 "there is no job" 'job "name"'
jobs <<'L'
job "echo" { script = "echo.lua", accounts = { "it" }, args = { prefix = "you said: " }, grant = { "read", "send" } }
L
try "$MOONTIDE" serve --check; check "--check of what is good" $status 0 "job 'echo': echo.lua is good"
for case in 'script = "none.lua"|none.lua' 'script = "broken.lua"|broken.lua:2' 'scrpt = "echo.lua"|did you mean' \
  'script = "echo.lua", accounts = { "ti" }|no account' 'script = "echo.lua", args = { prefx = 1 }|did you mean --prefix' \
  'script = "echo.lua", accounts = { "it" }, grant = { "reed" }|there is no grant' \
  'script = "echo.lua", accounts = { "it" }|needs what it was not granted' 'script = "echo.lua", args = "no"|args is a table'; do
  printf 'job "x" { %s }\n' "${case%|*}" | jobs
  try "$MOONTIDE" serve --check
  check "--check: ${case%|*}" $status 2 "${case#*|}"
done

# ---- two scripts at one account, and a reload
jobs <<'L'
job "echo" { script = "echo.lua", accounts = { "it" }, args = { prefix = "you said: " }, grant = { "read", "send" } }
job "ears" { script = "ears.lua", accounts = { "it" }, args = { "heard" } }
L
start
wait_for serve.log "echo: online" 1
say "hello there"
is "echo answers" answered "you said: hello there"
is "and the other script heard it, too" wait_for serve.log "ears: heard hello there" 1
sed -i 's/"heard"/"caught"/' moontide.lua
echo 'audit { anchor = "elsewhere" }' >>moontide.lua
kill -HUP $serve
is "SIGHUP is told" wait_for serve.err "info serve: reloaded" 1
is "and that the audit's anchor is not taken so" wait_for serve.err "warn audit: .*another anchor.*started again" 1
is "the script that changed is started again" wait_for serve.err "info serve: job 'ears' runs" 2
say "again"
is "the new one hears" wait_for serve.log "ears: caught again" 1
is "echo still answers" answered "you said: again"
cp ears.lua ears.good
echo 'local x = = 1' >ears.lua
kill -HUP $serve
is "a script that does not load is told" wait_for serve.err "error serve: job 'ears': ears.lua:1.*it goes on as it was" 1
say "once more"
is "and the old one goes on" wait_for serve.log "ears: caught once more" 1
cp moontide.lua good.lua
echo 'account "it" {' >moontide.lua
wait_for serve.err "info serve: reloaded" 2
kill -HUP $serve
is "a configuration that does not load is told" wait_for serve.err "error serve: not reloaded, everything goes on" 1
cp good.lua moontide.lua
say "still there"
is "and everything goes on" answered "you said: still there"
stop
check "SIGTERM ends it" $stopped 0 "stopped: ending what is in hand"
check "the connection was never lost" "$(lines 'echo: online' serve.log) $(lines 'ears: disconnected' serve.log)" "1 0"
mv ears.good ears.lua

# ---- what fails beside what does not
jobs <<'L'
job "echo" { script = "echo.lua", accounts = { "it" }, grant = { "read", "send" } }
job "bad" { script = "bad.lua", accounts = { "it" } }
L
start
wait_for serve.log "echo: online" 1
for text in throw loop leak; do
  say "$text"
  is "echo answers beside a handler that does: $text" answered "$text"
done
is "what was thrown is told" wait_for serve.err "error bad.lua: a handler of message in single:guest failed.*on purpose" 1
is "what loops is ended" wait_for serve.err "error bad.lua: a handler .*ran too long without waiting" 1
is "what leaks ends its script" wait_for serve.err "error serve: job 'bad' has failed.*not enough memory" 1
is "which starts again" wait_for serve.err "info serve: job 'bad' runs" 2
is "and is given what it had not done" wait_for serve.log "bad: leak" 2
stop
check "all of it is stopped in order" $stopped 0

# ---- SIGTERM finishes what is in hand
jobs <<'L'
job "slow" { script = "slow.lua", accounts = { "it" } }
L
start
wait_for serve.log "slow: online" 1
say "take your time"
wait_for serve.log "slow: begun take your time" 1
stop
check "SIGTERM lets a handler finish" $stopped 0 "slow: ended take your time"
start
wait_for serve.log "slow: online" 1
say "next"
wait_for serve.log "slow: begun next" 1
check "and what it did is acknowledged" "$(lines 'slow: begun take' serve.log)" 0
kill -9 $serve
wait $serve 2>/dev/null
start
is "what was cut off by kill -9 comes again" wait_for serve.log "slow: begun next" 1
stop

# ---- the bots
jobs <<'L'
job "responder" { script = "responder.lua", accounts = { "it" }, grant = { "read", "send" },
  args = { rule = { "price=Ten a piece.", "hello = Good day!" }, limit = 2 } }
L
start
wait_for serve.log "responder: online" 1
say "what is the PRICE?"
is "responder: a keyword in capitals" answered "Ten a piece."
say "hello"
is "responder: another one" answered "Good day!"
say "price again"
is "responder: more than the limit is left out" wait_for serve.err "warn responder.lua: single:guest: more than 2 answers" 1
stop
jobs <<'L'
job "responder" { script = "responder.lua", accounts = { "it" }, grant = { "read", "send" },
  args = { rule = { "price=Ten a piece." }, hours = "00:00-00:00", closed = "We are closed." } }
job "ears" { script = "ears.lua", accounts = { "it" }, args = { "heard" } }
L
start
wait_for serve.log "responder: online" 1
say "price?"
is "responder: outside of the office hours" answered "We are closed."
stop
start
wait_for serve.log "responder: online" 1
say "and the price?"
say "end of the test"
wait_for serve.log "ears: heard end of the test" 1
stop
is "responder: says so once, also after a restart" answer "end of the test"
sed -i 's/00:00-00:00/9-17/' moontide.lua
start
is "responder: hours that are none" wait_for serve.err "error serve: job 'responder' has failed.*hours are written" 1
stop

jobs <<'L'
job "dialogue" { script = "dialogue.lua", accounts = { "it" }, grant = { "read", "send" }, args = { patience = "2s" } }
job "echo" { script = "echo.lua", accounts = { "other" }, grant = { "read", "send" } }
L
write_account other other 'password = env "TEST_PASSWORD"' >>moontide.lua
start
wait_for serve.log "dialogue: online" 1
for line in "order|What would you like?" "tea|How many tea?" "many|A whole number, please." "3|3 x tea: is that right?" \
  "yes|Your order has the number 1."; do
  say "${line%|*}"
  is "dialogue: ${line%|*}" answered "${line#*|}"
done
is "dialogue: the order is told" wait_for serve.log "dialogue: order 1 of single:guest: 3 x tea" 1
kill -9 $serve
wait $serve 2>/dev/null
start
wait_for serve.log "dialogue: online" 1
say order
is "dialogue: begins again" answered "What would you like?"
is "dialogue: nobody answers" answered "Let us stop here."
for line in "order|What" "coffee|How many" "1|is that right" "yes|the number 2."; do
  say "${line%|*}"
  answered "${line#*|}" || break
done
is "dialogue: the orders are still counted after kill -9" answered "the number 2."
say order
answered "What would you like?"
stop
check "dialogue: SIGTERM does not wait for an answer" $stopped 0

node "$root/tests/serve/hook.js" >hook.log & hook=$!
wait_for hook.log "port " 1
port=$(sed -n 's/^port //p' hook.log)
jobs <<L
job "webhook" { script = "webhook.lua", accounts = { "it" }, grant = { "read", http = { "127.0.0.1" } },
  args = { url = "http://127.0.0.1:$port/in", token = "hook-token-4713", retry = "200ms" } }
L
start
wait_for serve.log "webhook: online" 1
say "first"
is "webhook: a message is forwarded, with the token" wait_for hook.log "POST /in Bearer hook-token-4713 first" 1
curl -s -X POST "http://127.0.0.1:$port/refuse" >/dev/null
say "second"
is "webhook: what is refused is kept" wait_for serve.err "warn webhook.lua: [0-9]*: kept for later: status 503\|warn webhook.lua: .*kept for later" 1
kill -9 $serve
wait $serve 2>/dev/null
start
wait_for serve.log "webhook: online" 1
say "third"
wait_for serve.err "warn webhook.lua: [0-9]*: kept for later: others wait before it" 1
curl -s -X POST "http://127.0.0.1:$port/accept" >/dev/null
is "webhook: and taken later" wait_for hook.log "POST /in Bearer hook-token-4713 third" 1
check "webhook: in order" "$(sed -n 's/^POST .* //p' hook.log | uniq | tr '\n' ' ')" "first second third "
check "webhook: the token is not in the log" "$(cat serve.log serve.err | grep -c 4713)" 0
stop
jobs <<L
job "webhook" { script = "webhook.lua", accounts = { "it" }, grant = { "read", http = { "hooks.example.com" } },
  args = { url = "http://127.0.0.1:$port/in" } }
L
start
wait_for serve.log "webhook: online" 1
say "fourth"
is "webhook: a host that was not granted" wait_for serve.err "warn webhook.lua: .*the host '127.0.0.1' is not among" 1
stop
kill $hook

# ---- who is kicked
jobs <<'L'
job "ears" { script = "ears.lua", accounts = { "it" }, args = { "heard" } }
job "patient" { script = "patient.lua", accounts = { "it" } }
L
start
wait_for serve.log "ears: online" 1
wait_for serve.log "patient: online" 1
curl -s -X POST --data "$owner 2" "$rest/sandbox/kick" >/dev/null
is "who is kicked is told" wait_for serve.log "patient: kicked" 1
is "and who does not listen to that fails" wait_for serve.err "error serve: job 'ears' has failed.*kicked.other_device" 2
check "the session is not made again by that" "$(lines 'ears: online' serve.log) $(lines 'patient: online' serve.log)" "1 1"
kill -HUP $serve
is "SIGHUP makes it again" wait_for serve.log "ears: online" 2
is "for both" wait_for serve.log "patient: online" 2
say "back"
is "and they hear" wait_for serve.log "ears: heard back" 1
cp moontide.lua good.lua
sed -i 's/"TEST_PASSWORD"/"OTHER_PASSWORD"/' moontide.lua
kill -HUP $serve
is "an account without its secret is told" wait_for serve.err "error serve: job 'ears'.*OTHER_PASSWORD is not set.*it goes on" 1
cp good.lua moontide.lua
say "still here"
is "and goes on" wait_for serve.log "ears: heard still here" 1
sed -i 's/env "TEST_PASSWORD"/env "TEST_PASSWORD", timeout = "20s"/' moontide.lua
kill -HUP $serve
is "an account that has changed is opened anew" wait_for serve.log "ears: online" 3
is "for both scripts" wait_for serve.log "patient: online" 3
say "anew"
is "and they hear, again" wait_for serve.log "ears: heard anew" 1
stop
check "SIGTERM, after all that" $stopped 0

# ---- what is durable
jobs <<'L'
job "count" { script = "count.lua", accounts = { "it" } }
L
start
wait_for serve.log "count: online" 1
"$MOONTIDE" run "$root/tests/live/talker.lua" -- "$messages" >talker.log 2>&1 & talker=$!
killed=0
while kill -0 $talker 2>/dev/null && [ $killed -lt 30 ]; do
  sleep 0.05
  kill -9 $serve
  wait $serve 2>/dev/null
  killed=$((killed + 1))
  "$MOONTIDE" serve >>serve.log 2>>serve.err & serve=$!
  [ $((killed % 3)) -ne 0 ] || wait_for serve.log "count: online" $((killed / 3))
done
wait $talker
is "$messages messages, $killed kills: each is counted once" wait_for serve.log "count: $messages different" 1
check "and none twice" "$(lines "count: $((messages + 1)) different" serve.log)" 0
stop
start
wait_for serve.log "count: begins with $messages" 1
try timeout 20 "$MOONTIDE" run count.lua
check "another process is told who has the store" $status 1 store.busy
stop
: >state/moontide/count.sqlite
start
is "a damaged store is told, with what to do" wait_for serve.err "error serve: job 'count' has failed.*is empty.*put a copy back.*store.damaged" 1
stop
check "and left as it is" "$(wc -c <state/moontide/count.sqlite)" 0

# ---- the examples of docs/serve.md, as they stand there
block() { awk -v want="$1" '/^```lua$/ { n++; inside = n == want; next } /^```$/ { inside = 0 } inside' "$root/docs/serve.md"; }
mkdir bots
cp responder.lua dialogue.lua webhook.lua bots
block 1 >guide.lua
chmod 600 guide.lua
try env DESK_PASSWORD=x "$MOONTIDE" serve --check -c guide.lua
check "the guide's configuration" $status 0 "job 'hello'" "job 'orders'" "job 'archive'"
block 2 >counter.lua
block 3 >order.lua
jobs <<'L'
job "counter" { script = "counter.lua", accounts = { "it" }, grant = { "read", "send" } }
L
start
wait_for serve.err "job 'counter' runs" 1
say "one"
is "the guide's counter" answered "your message 1, 1 in all"
stop
start
wait_for serve.err "job 'counter' runs" 1
say "two"
is "the guide's counter counts on after a restart" answered "your message 2, 2 in all"
stop
jobs <<'L'
job "order" { script = "order.lua", accounts = { "it" }, grant = { "read", "send" } }
L
start
wait_for serve.err "job 'order' runs" 1
say "order"
is "the guide's dialogue asks" answered "What would you like?"
say "tea"
is "and goes on with the answer" answered "One tea it is."
stop

# ---- a script that is too slow
jobs <<'L'
job "stuck" { script = "stuck.lua", accounts = { "it" } }
L
start
wait_for serve.log "stuck: online" 1
say "stay"
wait_for serve.log "stuck: stays" 1
before=$(rss $serve)
"$MOONTIDE" run "$root/tests/live/talker.lua" -- 2000 >talker.log 2>&1
after=$(rss $serve)
is "2000 messages behind a handler that hangs leave memory flat: $before KB, then $after KB" [ $((after - before)) -le 2000 ]
kill -9 $serve
wait $serve 2>/dev/null

# ---- the service manager
perl -e 'use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); bind($s, sockaddr_un("notify")) or die; $| = 1;
  while (defined recv($s, my $m, 4096, 0)) { $m =~ tr/\n/ /; print "$m\n" }' >notify.log & notified=$!
until [ -S notify ]; do sleep 0.05; done
jobs <<'L'
job "ears" { script = "ears.lua", accounts = { "it" }, args = { "heard" } }
L
NOTIFY_SOCKET=$work/notify WATCHDOG_USEC=200000
export NOTIFY_SOCKET WATCHDOG_USEC
start
unset NOTIFY_SOCKET WATCHDOG_USEC
is "systemd: READY" wait_for notify.log "READY=1 STATUS=1 of 1 jobs run" 1
is "systemd: WATCHDOG" wait_for notify.log "WATCHDOG=1" 3
kill -HUP $serve
is "systemd: RELOADING, with the time" wait_for notify.log "RELOADING=1 MONOTONIC_USEC=[0-9]" 1
is "systemd: READY again" wait_for notify.log "READY=1" 2
fed=$(lines WATCHDOG notify.log)
kill -STOP $serve
sleep 0.5
held=$(lines WATCHDOG notify.log)
kill -CONT $serve
is "a loop that does not turn does not feed the watchdog" [ "$held" -le $((fed + 1)) ]
stop
is "systemd: STOPPING" wait_for notify.log "STOPPING=1" 1

# ---- files
cat >files.lua <<'L'
local moontide = require "moontide"
local account = moontide.account()
account:on("connected", function()
  for _, path in ipairs { "files.lua", "moontide.lua" } do
    local conversation = account:conversation "guest"
    local ok, fault = moontide.try(conversation.send_file, conversation, path)
    print(path, ok and "sent" or fault.code)
  end
  print "tried"
end)
L
jobs <<'L'
job "files" { script = "files.lua", accounts = { "it" }, grant = { "read", "send" } }
L
start
wait_for serve.log "files: tried" 1
is "a job is given no file that it was not granted" [ "$(grep -c 'grant.denied' serve.log)" = 2 ]
stop
jobs <<'L'
job "files" { script = "files.lua", accounts = { "it" }, grant = { "read", "send", "files" } }
L
start
wait_for serve.log "files: tried" 1
is "with the grant it is" grep -q "files: files.lua	sent" serve.log
is "but never the configuration" grep -q "files: moontide.lua	file.private" serve.log
stop

# ---- the users of an app: one job, sixty accounts, and ten more
ACME_SECRET=sandbox-client-secret
export ACME_SECRET
fleet() { # the configuration with users that are listed in users.txt
  cat >moontide.lua <<L
app "acme" { provider = "easemob", appkey = "sandbox#demo", client_id = "sandbox-client",
  client_secret = env "ACME_SECRET", rest = "$rest", websocket = "$websocket", users = file "users.txt" }
$(write_account guest guest 'password = env "TEST_PASSWORD"')
job "fleet" { script = "fleet.lua", accounts = { "acme/u*" }, grant = { "read" } }
L
}
users() { i=0; while [ $i -lt "$1" ]; do echo "u$i"; i=$((i + 1)); done; echo other; }
users 60 >users.txt
fleet
start
wait_for serve.log "fleet: acme/u[0-9]* online" 60
is "sixty accounts of an app are online for one job" [ "$(lines "fleet: acme/u[0-9]* online" serve.log)" = 60 ]
is "and nobody else" [ "$(lines "fleet: acme/other" serve.log)" = 0 ]
"$MOONTIDE" send -a guest --to u7 "hello u7" >sent.log 2>&1
is "each hears its own" wait_for serve.log "fleet: acme/u7 heard hello u7" 1
curl -s -o /dev/null -X POST --data 'expire_after=40' "$rest/sandbox/faults"
"$MOONTIDE" send -a guest --to u3 "read" >sent.log 2>&1
is "tokens that expire are made anew" wait_for serve.log "fleet: all were read" 1
curl -s -o /dev/null -X POST --data '' "$rest/sandbox/faults"
users 70 >users.txt
kill -HUP $serve
is "SIGHUP brings those who were added to the list" wait_for serve.log "fleet: acme/u69 online" 1
stop
is "and it ends well" [ $stopped = 0 ]
is "the app's secret is in no line" sh -c '! grep -qF sandbox-client-secret out'

# ---- the same at the other cloud: a token that is over is made anew by the app secret
users 20 >users.txt
cat >moontide.lua <<L
app "acme" { provider = "rongcloud", appkey = "sandbox", app_secret = env "RONG_SECRET", api = { "$rest" },
  create_users = true, users = file "users.txt" }
job "fleet" { script = "fleet.lua", accounts = { "acme/u*" }, grant = { "read" } }
L
RONG_SECRET=sandbox-app-secret
export RONG_SECRET
start
wait_for serve.log "fleet: acme/u[0-9]* online" 20
is "twenty accounts of the other cloud are online by its app secret" [ "$(lines "fleet: acme/u[0-9]* online" serve.log)" = 20 ]
now=$(date +%s%3N)
signature=$(printf 'sandbox-app-secret7%s' "$now" | sha1sum | cut -d' ' -f1)
curl -s -H "App-Key: sandbox" -H "Nonce: 7" -H "Timestamp: $now" -H "Signature: $signature" \
  --data "userId=u7&time=$now" "$rest/user/token/expire.json" >out
check "the token of one of them is over" $? 0 '"code":200'
curl -s -o /dev/null -X POST "$rest/sandbox/cut"
is "all come back" wait_for serve.log "fleet: acme/u[0-9]* online" 40
is "also the one whose token is over" [ "$(lines "fleet: acme/u7 online" serve.log)" = 2 ]
stop
is "that secret is in no line either" sh -c '! grep -qF sandbox-app-secret out'
fleet
users 60 | sed 's/u5$/u five/' >users.txt
try "$MOONTIDE" serve --check; check "a list of users that is damaged" $status 2 "line 6 of users.txt"

# ---- weeks
jobs <<'L'
job "many" { script = "many.lua", accounts = { "it" }, grant = { "read", "send" } }
L
start
wait_for serve.log "many: online" 1
say "spawn 2000"
wait_for serve.log "many: spawned" 1
before=$(rss $serve)
say "spawn $many"
wait_for serve.log "many: spawned" 2
after=$(rss $serve)
is "$many tasks leave memory flat: $before KB, then $after KB" [ $((after - before)) -le 8000 ]
stop
echo "1..$count"
