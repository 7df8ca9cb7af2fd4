#!/bin/sh
# What moontide serve tells of itself: figures in Prometheus' format, health and readiness with reasons, the page for
# people in a browser, and that requests which are none are refused. TAP.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
root=$PWD
here=$root/tests/status
serve=
trap '[ -z "$serve" ] || kill -9 "$serve" 2>/dev/null; cleanup' EXIT
start_sandbox --generate 60 --faults seed=4
write_account guest guest 'password = env "TEST_PASSWORD"' >>"$work/moontide.lua"
CANARY=canary-4c1e-token
export CANARY
cp "$root/scripts/bots/echo.lua" "$root/scripts/export.lua" "$root/scripts/retention.lua" "$here"/*.lua "$work"
cp "$work/moontide.lua" "$work/accounts.lua"
cd "$work" || exit 1

config() { cp accounts.lua moontide.lua; cat >>moontide.lua; }
start() { # OPTION…
  : >serve.err
  "$MOONTIDE" serve --log-format json "$@" >serve.log 2>>serve.err & serve=$!
  until_true listening && return
  cat serve.err
  echo "Bail out! serve does not listen"
  exit 1
}
listening() { port=$(sed -n 's/.*the status is at http:..127.0.0.1:\([0-9]*\).*/\1/p' serve.err | tail -n 1); [ -n "$port" ]; }
stop() { kill -TERM "$serve"; wait "$serve"; stopped=$?; serve=; }
until_true() { # COMMAND…: at most 20 s, and no longer than serve lives
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ $tries -le 400 ] && kill -0 "$serve" 2>/dev/null || return 1
    sleep 0.05
  done
}
get() { curl -s -m 10 "http://127.0.0.1:$port$1"; }
code() { curl -s -m 10 -o body -w '%{http_code}' "$@"; }
scrape() { [ ! -f metrics ] || mv metrics earlier; get /metrics >metrics; }
value() { lua5.4 "$here/prometheus.lua" value metrics "$1"; }
holds() { scrape; v=$(value "$1"); [ "$v" != none ] && lua5.4 -e "os.exit($v $2)"; } # SERIES CONDITION
is() { # NAME CONDITION…
  name=$1
  shift
  if "$@"; then check "$name" 0 0; else { tail -n 20 serve.err; get /status.json; } >out 2>/dev/null; check "$name" 1 0; fi
}
figure() { is "metrics: $1 $2" until_true holds "$1" "$2"; }
ready_says() { get /ready | grep -qF "$1"; }
say() { "$MOONTIDE" send -a guest --to "$owner" "$1" >sent.log 2>&1; }

# ---- where it listens
config <<'L'
serve { listen = "0.0.0.0:9464" }
job "echo" { script = "echo.lua", accounts = { "it" }, grant = { "read", "send" } }
L
try "$MOONTIDE" serve --check; check "another address than this machine's is refused" $status 2 "is not on this machine alone"
sed -i 's/listen = "[^"]*"/lisen = "127.0.0.1:1"/' moontide.lua
try "$MOONTIDE" serve --check; check "an option that is none" $status 2 "did you mean 'listen'?"
sed -i '/^serve/d' moontide.lua
cp moontide.lua guide.lua
grep '^serve { listen' "$root/docs/serve.md" >>guide.lua
check "the guide has an example" "$(grep -c '^serve' guide.lua)" 1
try "$MOONTIDE" serve --check -c guide.lua; check "which is taken" $status 0 "echo.lua is good"
for bad in 8.8.8.8:9464 127.0.0.1 127.0.0.1:99999 :80 example.com:80 '[::]:80' 127.0.0.1:-1; do
  try "$MOONTIDE" serve --listen "$bad"; check "--listen $bad" $status 2 "config.listen"
done
try "$MOONTIDE" serve --log-format yaml; check "a format that is none" $status 2 "--log-format is text or json"
"$MOONTIDE" serve >serve.log 2>serve.err & serve=$!
wait_for serve.log "echo: online" 1
is "without being told to it listens nowhere" sh -c "! ls -l /proc/$serve/fd >/dev/null || ! grep -q 'the status is at' serve.err"
stop

# ---- figures, and a page full of names that are none
config <<'L'
account "<img src=x onerror=alert(1)>" { provider = "easemob", appkey = "sandbox#demo", user = "eve", token = env "CANARY",
  rest = "http://127.0.0.1:1", websocket = "ws://127.0.0.1:1/" }
serve { listen = "127.0.0.1:0" }
job "echo" { script = "echo.lua", accounts = { "it" }, grant = { "read", "send" } }
job "evil<b id=evil>\"'&" { script = "online.lua", accounts = { "<img src=x onerror=alert(1)>" } }
job "fails" { script = "fails.lua", every = "1s", pause_after = 1, args = { "<b id=evil>canary-4c1e-token</b>" } }
job "long" { script = "long.lua", args = { "<b id=evil>half way" } }
job "nightly" { script = "tick.lua", cron = "30 3 * * mon-fri", timezone = "Asia/Shanghai" }
job "tick" { script = "tick.lua", every = "1s" }
L
start
until_true holds 'moontide_account_connected{account="it"}' '== 1'
say "how are you?"
figure 'moontide_account_sends_total{account="it",result="ok"}' '== 1'
figure 'moontide_account_events_total{account="it"}' '>= 2'
figure 'moontide_account_connected{account="<img src=x onerror=alert(1)>"}' '== 0'
figure 'moontide_job_runs_total{job="tick",status="done"}' '>= 2'
figure 'moontide_job_paused{job="fails",reason="failed"}' '== 1'
figure 'moontide_job_last_run_status{job="fails",status="failed"}' '== 1'
figure 'moontide_job_progress_ratio{job="long"}' '== 0.5'
figure 'moontide_script_memory_bytes{job="echo"}' '> 10000'
figure 'moontide_script_cpu_seconds_total{job="echo"}' '> 0'
figure 'moontide_job_next_run_timestamp_seconds{job="nightly"}' "> $(date +%s)"
figure "moontide_http_requests_total{host=\"${rest#http://}\",class=\"2xx\"}" '>= 1'
figure process_resident_memory_bytes '> 1000000'
figure process_open_fds '> 5'
figure moontide_loop_lag_seconds_count '> 2'
figure moontide_ready '== 0'
curl -s -o /dev/null -X POST "$rest/sandbox/cut"
figure 'moontide_account_reconnects_total{account="it"}' '== 1'
scrape
try lua5.4 "$here/prometheus.lua" check "$work/metrics" "$work/earlier"
check "the figures are as Prometheus wants them, and none has become less" $status 0
lua5.4 "$here/prometheus.lua" table metrics >table
sed -n '/^| metric/,/^$/p' "$root/docs/metrics.md" | sed '/^$/d' >documented
diff documented table >out 2>&1
check "docs/metrics.md has every metric, and says of each the same" $? 0
grep -o 'moontide_[a-z_]*' "$root/scripts/prometheus/moontide.rules.yml" | sort -u >alarmed
sed -n 's/^| `\([a-z_]*\)`.*/\1/p' documented | sort >told
check "the alarms of moontide.rules.yml are about metrics that there are" "$(comm -23 alarmed told | wc -l) $(($(wc -l <alarmed) > 8))" "0 1"

# ---- readiness
check "not ready" "$(code "http://127.0.0.1:$port/ready")" 503
for reason in '"what":"account","name":"<img src=x onerror=alert(1)>"' '"what":"job","name":"fails","why":"paused'; do
  is "because $reason" ready_says "$reason"
done
check "alive all the same" "$(code "http://127.0.0.1:$port/health")" 200

# ---- the page
if browser=$(command -v chromium-headless-shell || command -v chromium || command -v google-chrome); then
  try node "$here/browser.js" "$browser" "http://127.0.0.1:$port/"
  cp out page.txt
  seen() { count=$((count + 1)); if grep -qE "$2" page.txt; then echo "ok $count - the page: $1"; else
    echo "not ok $count - the page: $1"; grep "^${2%%:*}" page.txt | cut -c 1-1500 | sed 's/^/  # /'; fi; }
  seen "no complaint of the browser" '^complaints: $'
  seen "nothing is fetched but the page" '^requests: / /\?refresh=off$'
  seen "landmarks" '^landmarks: 1 1 1$'
  seen "headings" '^headings: 1 Accounts, Jobs, Last faults$'
  seen "sections have names" '^sections: true$'
  seen "three tables" '^tables: 3$'
  seen "with headers for each column and row" '^headers: true$'
  seen "no script" '^scripts: 0$'
  seen "no handler" '^handlers: 0$'
  seen "nothing leads elsewhere" '^elsewhere: $'
  seen "hostile names and faults are text" '^evil: 0$'
  seen "the account" '^rows: (.* )?it ?connected'
  seen "an account with a name of markup" '^rows: .*<img src=x onerror=alert\(1\)> ?connecting'
  seen "the job, in words" '^rows: .*nightly ?waiting ?on Monday to Friday at 03:30, Asia/Shanghai'
  seen "why it is paused, and what to type" "^rows: .*fails ?paused ?it has failed too often in a row\.moontide jobs resume 'fails'"
  seen "the fault, without the secret" '^rows: .*<b id=evil>\*+</b>'
  seen "a job with a name of markup" "^rows: .*evil<b id=evil>\"'&"
  seen "how far it is" '^progress: 5 of 10$'
  seen "reasons at the top" '^reasons: .*job fails: paused'
  seen "360 px are enough" '^narrow: 360$'
  seen "light, and readable" '^contrast: ([5-9]|4\.[5-9]|[1-9][0-9])'
  seen "dark, and readable" '^dark: true contrast ([5-9]|4\.[5-9]|[1-9][0-9])'
  seen "its style is taken" '^styled: anywhere$'
  seen "it comes again" '^refresh: 10$'
  seen "or not" '^held: none$'
else
  count=$((count + 1))
  echo "ok $count - the page in a browser # SKIP there is no chromium-headless-shell, chromium or google-chrome on this machine"
fi
get / >page.html
check "markup in names is escaped" "$(grep -c '<b id=evil\|<img' page.html)" 0

# ---- what is kept in
for path in / /status.json /metrics /ready; do
  get $path >told
  is "no secret in $path" sh -c '! grep -qF -e canary -e "$TEST_PASSWORD\"" told'
done
is "nor in the log" sh -c '! grep -qF canary serve.err'
curl -s -D head -o /dev/null "http://127.0.0.1:$port/"
for line in "Content-Security-Policy: default-src 'none'; style-src 'sha256-" "X-Content-Type-Options: nosniff" "Cache-Control: no-store" \
  "X-Frame-Options: DENY" "Referrer-Policy: no-referrer" "Cross-Origin-Resource-Policy: same-origin"; do
  is "header: $line" grep -qF "$line" head
done
is "nobody else may read it" sh -c '! grep -qi access-control head'

# ---- requests that are none
u=http://127.0.0.1:$port
for case in "421|-H|Host: evil.example" "421|-H|Host: 127.0.0.1" "421|-H|Host: 127.0.0.1:1" "200|-H|Host: LOCALHOST:$port" "405|-X|POST" \
  "405|-X|DELETE" "405|-X|OPTIONS" "400|-H|Host:" "431|-H|X: $(head -c 17000 /dev/zero | tr '\0' x)"; do
  rest_of=${case#*|}
  check "$(echo "$case" | cut -c 1-40): ${case%%|*}" "$(code "${rest_of%%|*}" "${rest_of#*|}" "$u/health")" "${case%%|*}"
done
for case in "404 /x" "404 /../metrics" "404 //metrics" "404 /%6detrics" "404 /metrics/" "404 /METRICS" "404 /favicon.ico" "200 /metrics?a=b" \
  "414 /$(head -c 9000 /dev/zero | tr '\0' x)"; do
  check "$(echo "$case" | cut -c 1-30)" "$(code --path-as-is "$u${case#* }")" "${case%% *}"
done
check "a body is not taken" "$(head -c 5000 /dev/zero | curl -s -o /dev/null -w '%{http_code}' -X GET --data-binary @- "$u/")" 413
check "HEAD has no body" "$(curl -s -I "$u/metrics" | sed -n 's/^Content-Type: //p' | tr -d '\r')" "text/plain; version=0.0.4; charset=utf-8"
check "a WebSocket is not made" "$(curl -s -m 5 -o /dev/null -w '%{size_download}' -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
  -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$u/")" 0
try node "$here/many.js" "$port" 60
check "of 60 connections that say nothing it keeps 32, and answers when they are gone" $status 0 "closed 28" "answered 200"

# ---- the log
cat >lines.js <<'J'
const lines = require("fs").readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean).map(JSON.parse);
if (!lines.length) throw new Error("no lines");
for (const line of lines) {
  if (Object.keys(line).join() !== "ts,level,room,message,fields" || isNaN(Date.parse(line.ts))) throw new Error(JSON.stringify(line));
}
console.log(lines.length, lines.filter((l) => l.fields.job === "fails" && l.fields.status === "failed" && l.fields.run === "1").length);
J
try node "$work/lines.js" "$work/serve.err"
check "each line of the log is an object with the same keys" $status 0
is "and says in fields what its text says" grep -q ' 1$' out
echo 'require "moontide".log.warn "a \"line\""' >log.lua
"$MOONTIDE" run log.lua --log-format=json -a it >out 2>run.err
try node "$work/lines.js" "$work/run.err"
check "so it is for other commands" $status 0
"$MOONTIDE" export --log-format json -a none -o x >out 2>run.err
try node "$work/lines.js" "$work/run.err"
check "and for the fault that a command ends with" $status 0
is "with its code" grep -q '"code":"config.no_account"' run.err
stop
check "SIGTERM ends it" $stopped 0

# ---- what retention has done
printf '{"id":"case","conversation":"group:*"}\n' >held.jsonl
config <<L
serve { listen = "127.0.0.1:0" }
holds = "held.jsonl"
job "retention" { script = "retention.lua", accounts = { "it" }, args = { account = "it", older_than = "1h", archive = "$work/rarchive" },
  grant = { "read", "files", "delete:7" }, apply = true }
job "tick" { script = "tick.lua", every = "1s" }
L
start
figure 'moontide_retention_deleted_messages_total{job="retention"}' '== 7'
figure 'moontide_retention_planned_messages_total{job="retention"}' '> 7'
figure 'moontide_retention_archived_messages_total{job="retention"}' '> 7'
figure 'moontide_retention_skipped_messages_total{job="retention",reason="held"}' '> 0'
figure 'moontide_retention_skipped_messages_total{job="retention",reason="cap"}' '> 0'
figure 'moontide_retention_skipped_messages_total{job="retention",reason="left"}' '== 0'
figure 'moontide_retention_batches_total{job="retention"}' '>= 1'
figure moontide_audit_head_timestamp_seconds "> $(($(date +%s) - 600))"
figure moontide_audit_open_intents '== 0'
figure moontide_audit_failures_total '== 0'
is "and of no job that deletes nothing" until_true eval '! grep -q "retention_.*job=.tick" metrics'
stop

# ---- ready, and what spoils it
mkdir -p state/moontide/jobs
config <<L
serve { listen = "127.0.0.1:0" }
job "echo" { script = "echo.lua", accounts = { "it" }, grant = { "read", "send" } }
job "export" { script = "export.lua", accounts = { "it" }, every = "1s", args = { account = "it", out = "$work/kept" }, grant = { "read", "files" } }
job "tick" { script = "tick.lua", every = "1s" }
L
start
figure moontide_ready '== 1'
check "ready" "$(code "http://127.0.0.1:$port/ready")" 200
figure 'moontide_archive_commits_total{result="ok"}' '>= 1'
figure moontide_archive_line_bytes_total '> 1000'
"$MOONTIDE" jobs pause tick >/dev/null 2>&1
figure 'moontide_job_paused{job="tick",reason="asked"}' '== 1'
check "who was paused by hand is well" "$(code "http://127.0.0.1:$port/ready")" 200
curl -s -o /dev/null -X POST --data "$owner 2" "$rest/sandbox/kick"
is "a session that ended for good" until_true ready_says '"its session has ended for good"'
figure 'moontide_accounts{state="ended"}' '== 1'
stop
: >state/moontide/jobs/tick.sqlite
start
is "a store that is damaged" until_true ready_says '"what":"store","name":"tick"'
figure 'moontide_job_store_ok{job="tick"}' '== 0'
figure 'moontide_job_store_ok{job="export"}' '== 1'
kill "$sandbox_pid"
is "a cloud that is gone" until_true ready_says '"what":"account","name":"it","why":"not connected"'
stop
check "and it ends well" $stopped 0
echo "1..$count"
