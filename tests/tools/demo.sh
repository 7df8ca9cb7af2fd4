#!/bin/sh
# The whole way on one machine: a sandbox with made-up conversations, an export of them, the proof that the archive is
# whole, and what was written how fast. Nothing leaves the loopback interface. demo.sh [MESSAGES]
set -eu
cd "$(dirname "$0")/../.."
messages=${1:-20000}
moontide=$PWD/build/bin/moontide
work=$(mktemp -d)
sandbox=""

clean_up() {
  status=$?
  trap - EXIT
  [ -z "$sandbox" ] || { kill "$sandbox" 2>/dev/null && wait "$sandbox" 2>/dev/null; } || true
  [ $status -eq 0 ] || { echo "the demo failed; what the sandbox said:" >&2; cat "$work/sandbox.log" >&2; } || true
  rm -rf "$work"
  exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || step() { printf '\n%s\n' "$*"; }

step "1. A cloud in a box: moontide sandbox --generate $messages"
"$moontide" sandbox --generate "$messages" >"$work/ready" 2>"$work/sandbox.log" &
sandbox=$!
waited=0
until [ -s "$work/ready" ]; do
  kill -0 "$sandbox" 2>/dev/null || { echo "the sandbox ended before it was ready" >&2; exit 1; }
  waited=$((waited + 1))
  [ "$waited" -le 600 ] || { echo "the sandbox was not ready within a minute" >&2; exit 1; }
  sleep 0.1
done
cat "$work/ready"
value() { sed "s/\"rongcloud\":{[^}]*},//" "$work/ready" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; } # of the first cloud
rest=$(value rest)
websocket=$(value websocket)
owner=$(value owner)
[ -n "$rest" ] && [ -n "$websocket" ] && [ -n "$owner" ] || { echo "not the line of a sandbox" >&2; exit 1; }

cat >"$work/moontide.lua" <<END
account "demo" {
  provider = "easemob", appkey = "$(value appkey)", user = "$owner",
  password = env "DEMO_PASSWORD",
  rest = "$rest",
  websocket = "$websocket",
}
END
export DEMO_PASSWORD=anything
cd "$work"

step "2. moontide export -a demo -o demo-archive"
"$moontide" export -a demo -o demo-archive

step "3. The same again adds nothing"
"$moontide" export -a demo -o demo-archive

step "4. moontide verify demo-archive"
"$moontide" verify demo-archive

step "5. What was written"
files=$(find demo-archive -type f | wc -l)
bytes=$(find demo-archive -type f -exec cat {} + | wc -c)
lines=$(find demo-archive -name '*.jsonl' -exec cat {} + | grep -c '"id":') || true
echo "$files files, $bytes bytes, $lines lines with a message's id; the first of them:"
first=$(find demo-archive -name '*.jsonl' -path '*/conv/*' | LC_ALL=C sort | head -n 1)
[ -z "$first" ] || head -n 1 "$first" | cut -c 1-400
echo
echo "Next: README.md, a first script and a real account."
