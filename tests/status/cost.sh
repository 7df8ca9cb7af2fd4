#!/bin/sh
# What being looked at costs: 1,000 accounts online in one serve, and a hundred scrapes of it. Prints figures for people.
# MT_COST_N: accounts; MT_COST_SCRAPES.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
here=$PWD/tests/status
serve=
trap '[ -z "$serve" ] || kill -9 "$serve" 2>/dev/null; cleanup' EXIT
n=${MT_COST_N:-1000}
scrapes=${MT_COST_SCRAPES:-100}
start_sandbox --generate 10
ACME_SECRET=sandbox-client-secret
export ACME_SECRET
cp tests/serve/fleet.lua "$work"
cd "$work" || exit 1
i=0
while [ $i -lt "$n" ]; do echo "u$i"; i=$((i + 1)); done >users.txt
cat >moontide.lua <<L
app "acme" { provider = "easemob", appkey = "sandbox#demo", client_id = "sandbox-client",
  client_secret = env "ACME_SECRET", rest = "$rest", websocket = "$websocket", users = file "users.txt" }
serve { listen = "127.0.0.1:0" }
job "fleet" { script = "fleet.lua", accounts = { "acme/u*" }, grant = { "read" } }
L
"$MOONTIDE" serve >serve.log 2>serve.err & serve=$!
tries=0
until [ "$(lines "fleet: acme/u[0-9]* online" serve.log)" = "$n" ]; do
  tries=$((tries + 1))
  if [ $tries -gt 1200 ] || ! kill -0 $serve; then cat serve.err; exit 1; fi
  sleep 0.1
done
u=http://127.0.0.1:$(sed -n 's/.*127.0.0.1:\([0-9]*\).*/\1/p' serve.err)
cpu() { curl -s "$u/metrics" | sed -n 's/^process_cpu_seconds_total //p'; }
cost() { # PATH: all over one connection, so that what the accounts do meanwhile is little
  i=0
  : >urls
  while [ $i -lt "$scrapes" ]; do
    printf 'url = "%s%s"\noutput = "body"\n' "$u" "$1" >>urls
    i=$((i + 1))
  done
  before=$(cpu)
  curl -s -K urls -w '%{time_total}\n' >unsorted
  after=$(cpu)
  sort -n unsorted >times
  awk -v a="$before" -v b="$after" -v n="$scrapes" -v path="$1" -v bytes="$(wc -c <body)" '{ t[NR] = $1 * 1000 } END {
    printf "%-13s %7d bytes, %5.2f ms of CPU each, answered in %.1f ms (median), %.1f ms (the slowest)\n",
      path, bytes, (b - a) * 1000 / n, t[int((NR + 1) / 2)], t[NR] }' times
}
echo "$n accounts online; $scrapes requests for each:"
for path in /metrics /status.json / /ready /health; do cost $path; done
curl -s "$u/metrics" >metrics
lua5.4 "$here/prometheus.lua" check metrics || exit 1
curl -s "$u/metrics" | sed -n 's/^moontide_loop_lag_seconds_bucket{le="\(0.005\|0.01\|+Inf\)"} /loop late by at most \1 s: /p'
kill $serve
wait $serve
serve=
