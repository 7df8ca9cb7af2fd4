#!/bin/sh
# R20: secrets are put into everything that takes one, much is done and refused at both clouds with a log that says
# everything, and then nothing that was printed, logged or kept holds them in any encoding. TAP.
set -u
cd "$(dirname "$0")/../.."
root=$PWD
. tests/tools/sandbox.sh
servers= serve=
trap '[ -z "$servers" ] || kill "$servers" 2>/dev/null; [ -z "$serve" ] || kill -9 "$serve" 2>/dev/null; cleanup' EXIT
start_sandbox --generate 3000 --faults seed=20
unset TEST_PASSWORD
seen=$work/seen secrets=$work/secrets
mkdir "$seen" "$seen/state"
XDG_STATE_HOME=$seen/state
head -c 5000 /dev/urandom >"$work/small.bin"
cp tests/secrets/probe.lua "$work/probe.lua"
cd "$work" || exit 1
ulimit -c unlimited 2>/dev/null # whatever is inherited, no core file is made

key= certificate=
if openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out certificate.pem -days 2 \
  -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1; then key=key.pem certificate=certificate.pem; fi
: >tokens
mkfifo pipe
# shellcheck disable=SC2086 # none or two words
node "$root/tests/secrets/servers.js" "$rest" tokens $key $certificate >pipe 2>servers.log &
servers=$!
read -r ports <pipe
port() { echo "$ports" | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }
proxy=http://127.0.0.1:$(port proxy)

# ---- the secrets: odd ones, so that every encoding differs. How they begin is looked for, too: what is cut in the middle
# of a secret still tells half of it
CANARY_PASSWORD='c4nary p/w+"\é%7'
CANARY_TOKEN='c4nary-t0ken/with+odd=chars&%41'
CANARY_CLIENT='c4nary-client~secret/+é'
CANARY_APP='c4nary-app~secret?&é'
GOOD_CLIENT=sandbox-client-secret
GOOD_APP=sandbox-app-secret
GOOD_TOKEN=sandbox-$owner
export CANARY_PASSWORD CANARY_TOKEN CANARY_CLIENT CANARY_APP GOOD_CLIENT GOOD_APP GOOD_TOKEN
printf '%s\n' "$CANARY_PASSWORD" "$CANARY_TOKEN" "$CANARY_CLIENT" "$CANARY_APP" $GOOD_CLIENT $GOOD_APP $GOOD_TOKEN \
  'c4nary-bearer/tok+en' c4nary-literal-4711 c4nary >"$secrets"
printf '%s\n' "$GOOD_TOKEN" >token.txt
printf '%s\n' "$CANARY_PASSWORD" >password.txt
chmod 600 token.txt password.txt

easemob() { # NAME REST SECRET [WEBSOCKET]
  printf 'account "%s" { provider = "easemob", appkey = "sandbox#demo", user = "%s", timeout = "2s",\n  rest = "%s", websocket = "%s", %s }\n' \
    "$1" "$owner" "$2" "${4:-$websocket}" "$3"
}
rong() { # NAME NAVIGATOR SECRET
  printf 'account "%s" { provider = "rongcloud", appkey = "sandbox", user = "%s", timeout = "2s", navigators = { "%s" }, %s }\n' \
    "$1" "$owner" "$2" "$3"
}
apps() { # NAME REST EASEMOB'S-SECRET RONGCLOUD'S-SECRET
  printf 'app "%s-e" { provider = "easemob", appkey = "sandbox#demo", client_id = "sandbox-client", client_secret = %s,\n  rest = "%s", websocket = "%s", any_user = true, timeout = "2s" }\n' \
    "$1" "$3" "$2" "$websocket"
  printf 'app "%s-r" { provider = "rongcloud", appkey = "sandbox", api = { "%s" }, navigators = { "%s" }, app_secret = %s,\n  any_user = true, timeout = "2s" }\n' \
    "$1" "$2" "$2" "$4"
}
password='password = env "CANARY_PASSWORD"' token='token = env "CANARY_TOKEN"'
{
  easemob good-e "$proxy" "$password"
  easemob file-e "$proxy" 'password = file "password.txt"'
  easemob command-e "$proxy" 'password = command { "cat", "password.txt" }'
  easemob token-e "$proxy" 'token = file "token.txt"'
  rong good-r "$proxy" 'token = file "token.txt"'
  easemob taken-e "$proxy" 'token = env "GOOD_TOKEN"'
  rong command-r "$proxy" 'token = command "env >seen/environment; echo said >&2; cat token.txt"'
  easemob refused-e "$proxy" 'password = "c4nary-literal-4711"'
  easemob wrong-e "$proxy" "$token"
  rong wrong-r "$proxy" "$token"
  easemob failing-e "$proxy" 'password = command "cat password.txt; cat password.txt >&2; exit 1"'
  apps good "$proxy" 'env "GOOD_CLIENT"' 'env "GOOD_APP"'
  apps wrong "$proxy" 'env "CANARY_CLIENT"' 'env "CANARY_APP"'
  for status in 200 400 401 403 404 500; do
    there=http://127.0.0.1:$(port echo$status)
    easemob "password-$status" "$there" "$password"
    easemob "token-$status" "$there" "$token" "ws://127.0.0.1:$(port echo$status)/websocket"
    rong "rong-$status" "$there" "$token"
    apps "app$status" "$there" 'env "CANARY_CLIENT"' 'env "CANARY_APP"'
  done
  for name in tls echo401; do
    [ -n "$(port $name)" ] || continue
    easemob "$name-tls-e" "https://127.0.0.1:$(port $name)" "$password"
    easemob "$name-wss-e" "$proxy" "$token" "wss://127.0.0.1:$(port $name)/websocket"
    rong "$name-tls-r" "https://127.0.0.1:$(port $name)" "$token"
  done
  printf 'job "bot" { script = "bot.lua", accounts = { "good-e" }, grant = { "read", "send" } }\n'
  printf 'job "rong" { script = "bot.lua", accounts = { "good-r" }, grant = { "read", "send" } }\n'
} >moontide.lua
chmod 600 moontide.lua
cat >bot.lua <<'L'
local moontide = require "moontide"
local account, store = moontide.account(), moontide.store
account:on("connected", function(event) print("online", event.data.away_ms) end)
account:on("message", function(message)
  store.seen = (store.seen or 0) + 1
  print("message", message:json { raw = true })
end)
L

# ---- what is to work, works: in the background, each with its own output
run() { # NAME WORDS…: in the background
  name=$1 verb=$2
  shift 2
  (timeout "${limit:-60}" "$MOONTIDE" "$verb" -v -v "$@" >"seen/$name.out" 2>"seen/$name.err"; echo $? >"seen/$name.status") &
  runs="${runs-} $!"
}
await() {
  for pid in $runs; do wait "$pid"; done
  runs=
}
succeeded() { [ "$(cat "seen/$1.status")" = 0 ]; }
all=$(sed -n 's/^account "\([^"]*\)".*/\1/p; s/^app "\([^"]*\)".*/\1\/agent/p' moontide.lua)

for cloud in e r; do
  run "export-$cloud" export -a good-$cloud -o "seen/archive-$cloud" --media --format sqlite
  run "doctor-$cloud" doctor -a good-$cloud
  run "app-$cloud" conversations -a "good-$cloud/$owner"
  run "command-$cloud" conversations -a command-$cloud
done
run file conversations -a file-e
run taken conversations -a taken-e
run token history -a token-e bob
await
for cloud in e r; do
  run "html-$cloud" export -a good-$cloud -o "seen/archive-$cloud" --format html
  run "send-$cloud" send -a "good-$cloud/$owner" --to bob "hello"
  run "unread-$cloud" unread -a good-$cloud --reset
done
await
for cloud in e r; do run "verify-$cloud" verify "seen/archive-$cloud"; done
await
for cloud in e r; do run "retention-$cloud" retention -a good-$cloud --older-than 3d -o "seen/archive-$cloud" --apply --max 20; done
await
check "what deletes left plans and an audit" \
  "$(find seen/state/moontide/plans -name '*.jsonl' | wc -l) $([ -s seen/state/moontide/audit/000001.jsonl ] && echo yes)" "2 yes"
for name in export-r doctor-e doctor-r app-e app-r command-e command-r file taken token verify-e verify-r send-e send-r unread-e unread-r; do
  case $name in export-* | verify-*) good=3 ;; *) good=0 ;; esac # made-up attachments do not exist
  cat "seen/$name.out" "seen/$name.err" | tail -5 >out
  check "$name ends as it should" "$(cat "seen/$name.status")" $good
done
check "what a command inherits has none of what the configuration took" "$(grep -cE 'CANARY_|GOOD_' seen/environment)" 0

# ---- what is refused, and everything that a script is told about it
limit=8 # what is tried again and again has shown itself by then
for account in $all; do
  run "probe-$(echo "$account" | tr / -)" run probe.lua -a "$account" --grant read,mark_read,send,organise,delete:5,http,files --apply \
    -- "http://127.0.0.1:$(port echo401)/x"
done
await
echo "#" "$(ls seen/probe-*.out | wc -l) accounts were probed, $(grep -ch 'code=' seen/probe-*.out | awk '{ n += $1 } END { print n }') faults were shown"
check "many faults were shown" "$([ "$(cat seen/probe-*.out | grep -c 'code=')" -ge 200 ] && echo yes)" yes
printf 'require("moontide").account("wrong-e"):conversation("bob"):send "x"\n' >raise.lua
run raise run raise.lua -a wrong-e
await

# ---- a process that lives: its words and environment, and its end by a crash
: >seen/serve.out
"$MOONTIDE" serve -v -v >seen/serve.out 2>seen/serve.err &
serve=$!
wait_for seen/serve.out "bot: online" 1
check "serve is online" $? 0
wait_for seen/serve.out "rong: online" 1
check "at both clouds" $? 0
"$MOONTIDE" send -a file-e --to "$owner" "to myself" >/dev/null 2>&1
kill -HUP $serve
cat "/proc/$serve/cmdline" >seen/cmdline 2>/dev/null
cat "/proc/$serve/environ" >seen/environ 2>/dev/null
wait_for seen/serve.out "bot: message" 1
check "it hears" $? 0
if [ -r "/proc/$serve/environ" ]; then check "the environment was looked at" "$(grep -c XDG_STATE_HOME seen/environ)" 1
else check "the environment is nobody's to read" 0 0; fi
limits=$(sed -n 's/^Max core file size *\([0-9a-z]*\) *\([0-9a-z]*\).*/\1 \2/p' "/proc/$serve/limits")
check "it makes no core file" "$limits" "0 0"
kill -SEGV $serve
wait $serve 2>crash
crashed=$?
serve=
cp crash out
case $MOONTIDE in
  *asan*) check "a crash ends it" "$([ $crashed -ne 0 ] && echo yes)" yes ;; # with a report of its own
  *) check "a crash ends it" $crashed 139 ;;
esac
mkdir control
(cd control && sh -c "sh -c 'kill -SEGV \$\$'; true") >control.err 2>&1
[ -n "$(ls control)" ] || grep -q 'core dumped' control.err || echo "# no program leaves a core here: its limit was looked at alone"
check "and leaves no core" "$(find "$work" -path "$work/control" -prune -o -name 'core*' -print | wc -l) $(grep -c 'core dumped' crash)" "0 0"

# ---- the search
sort -u tokens >>"$secrets"
check "tokens that the clouds gave are looked for, too" "$([ "$(sort -u tokens | wc -l)" -ge 3 ] && echo yes)" yes
lua5.4 "$root/tests/secrets/search.lua" "$secrets" "$seen" >out
check "no secret is found: $(tail -1 out)" $? 0 "0 finds"

# ---- the search finds what is there
mkdir planted
plant() { # ENCODING TEXT: stands where it would stand by mistake
  count_before=$(ls planted | wc -l)
  printf 'some words, and then %s, and more\n' "$2" >"planted/$count_before-$1"
}
head -1 "$secrets" >one
secret=$(cat one)
plant plain "$secret"
plant percent 'c4nary%20p%2Fw%2B%22%5C%C3%A9%257'
plant percent-lower 'c4nary%20p%2fw%2b%22%5c%c3%a9%257'
plant form 'c4nary+p%2Fw%2B%22%5C%C3%A9%257'
plant json 'c4nary p\/w+\"\\\u00e9%7'
plant base64-0 "$(printf '%s' "$secret" | base64)"
plant base64-1 "$(printf 'x%s' "$secret" | base64)"
plant base64-2 "$(printf 'xy%sz' "$secret" | base64 | tr '+/' '-_')"
plant hex "$(printf '%s' "$secret" | od -An -tx1 | tr -d ' \n')"
plant hex-upper "$(printf '%s' "$secret" | od -An -tx1 | tr -d ' \n' | tr a-f A-F)"
printf '%s' "$secret" | zstd -q >planted/packed.zst
lua5.4 "$root/tests/secrets/search.lua" one planted >out
check "of eleven planted ones all are found" "$(grep -c '^planted/' out)" 11
echo "1..$count"
