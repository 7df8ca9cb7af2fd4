#!/bin/sh
# moontide restore: what an import would send is what the archive holds, at both clouds' archives. TAP.
set -u
cd "$(dirname "$0")/../.."
root=$PWD
. tests/tools/sandbox.sh
start_sandbox --generate 4000 --faults seed=23,span=20d
cloud=rongcloud write_account rong "$owner" - >"$work/rong.lua"
m=$MOONTIDE
cp "$work/moontide.lua" "$work/both.lua"
cd "$work" || exit 1
chmod 600 rong.lua
plan() { # NAME WORDS…: into NAME.jsonl, what is said besides into out
  name=$1
  shift
  "$m" restore "$@" --plan >"$name.jsonl" 2>out
  status=$?
}
checked() { # NAME ARCHIVE [all]
  node "$root/tests/restore/check.js" "$1.jsonl" "$2" ${3-} >out 2>&1
  check "$1: $(tail -1 out)" $? 0 " 0 wrong"
}

cat >talk.lua <<'L'
local moontide = require "moontide"
local step = ...
local conversation = moontide.account():conversation "restored"
if step == "send" then
  for i = 1, 6 do conversation:send { text = "message " .. i, ext = { order = i, list = { 1, 2 }, deep = { b = 1, a = "x" } } } end
else
  local by_text = {}
  for message in conversation:history { limit = 10 } do by_text[message.text] = message end
  by_text["message 1"]:edit "message 1, edited"
  by_text["message 2"]:recall()
  by_text["message 3"]:edit "message 3, edited"
  by_text["message 3"]:edit "message 3, edited again"
end
L
"$m" run talk.lua -- send >out 2>&1
check "messages are there" $? 0
"$m" export -a it -o archive >out 2>&1
check "they are exported" $? 0 "new messages"
"$m" run talk.lua -- change >out 2>&1
check "some are edited, one is recalled" $? 0
"$m" export -a it -o archive >out 2>&1
check "which the archive knows" $? 0 "2 edits"

before=$(curl -s "$rest/sandbox/stats" | sed 's/.*"requests":\([0-9]*\).*/\1/')
try "$m" restore --archive archive
check "without --plan it says how much that is" $status 3 "messages of" "requests" "left out" "of the kind combine" \
  "1 were" "(--gone" "2 were edited" "new ids"
plan plain --archive archive
check "the plan; what is left out is said beside it" $status 3 "left out" "of the kind combine"
checked plain archive
"$m" restore --archive archive --plan -o whole.jsonl >out 2>&1
check "-o writes it into a file, and says the rest on standard output" $? 3 "requests"
cmp plain.jsonl whole.jsonl >out 2>&1
check "which holds the same" $? 0
echo kept >taken.jsonl
"$m" restore --archive archive --plan -o taken.jsonl >out 2>&1
check "a file that is there is not replaced" "$? $(cat taken.jsonl)" "1 kept" "file.exists"
"$m" restore --archive archive --plan -o taken.jsonl --force >out 2>&1
cmp plain.jsonl taken.jsonl >out 2>&1
check "but with --force" $? 0
"$m" restore --archive archive --plan -o none/plan.jsonl >out 2>&1
check "a folder that is not there is named" $? 1 "none/plan.jsonl"
"$m" restore --archive archive -o plan.jsonl >out 2>&1
check "without --plan there is nothing to write" $? 1 "needs --plan"
check "and nothing is left beside them" "$(find . -name '*.part' | wc -l)" 0
plan again --archive archive
cmp plain.jsonl again.jsonl >out 2>&1
check "the same archive gives the same plan" $? 0
grep -c '"msg":"message [0-9]' plain.jsonl >out
check "the recalled one is not in it" 0 0 5
grep -c 'message 3, edited again' plain.jsonl >out
check "the newest content is" 0 0 1
plan recalled --archive archive --recalled --gone
checked recalled archive all
after=$(curl -s "$rest/sandbox/stats" | sed 's/.*"requests":\([0-9]*\).*/\1/')
check "and nothing was sent" "$after" $((before + 1)) # which is the question itself

# ---- sent to an empty cloud: the history there is what the archive holds
mkfifo second
"$m" sandbox >second 2>second.log &
second=$!
trap 'kill $second 2>/dev/null; cleanup' EXIT
read -r ready <second
rest2=$(echo "$ready" | sed -n 's/.*"rest":"\([^"]*\)".*/\1/p')
websocket2=$(echo "$ready" | sed -n 's/.*"websocket":"\([^"]*\)".*/\1/p')
conversations=$(cat plain.jsonl | sed -n 's|.*"target":"\([^"]*\)".*/chatgroups/import.*|group:\1|p' | sort -u)
groups=$(echo "$conversations" | sed 's/^group://')
# shellcheck disable=SC2086 # several words
node "$root/tests/restore/send.js" plain.jsonl "$rest2" "$owner" $groups >out 2>&1
check "every request is taken, once, and only from the app: $(tail -1 out)" $? 0 \
  "$(wc -l <plain.jsonl) of $(wc -l <plain.jsonl) taken; the last again: 400; without the app's token: 401"
printf 'account "it" { provider = "easemob", appkey = "sandbox#demo", user = "%s", token = "sandbox-%s", rest = "%s", websocket = "%s" }\n' \
  "$owner" "$owner" "$rest2" "$websocket2" >second.lua
chmod 600 second.lua
try "$m" conversations -c second.lua -a it
check "the import makes no conversation in the list" "$status $(grep -c single: out)" "0 0"
find archive -name '*.jsonl' -path '*/conv/*' -exec sed -sn '1s/.*"conversation":"\([^"]*\)".*/--conversation \1/p' {} + >all
# shellcheck disable=SC2046 # several words
"$m" export -c second.lua -a it -o restored $(cat all) >out 2>&1
check "but it is in the history" $? 0 "$(wc -l <plain.jsonl) new messages"
node "$root/tests/restore/same.js" archive restored >out 2>&1
check "and is the same: $(tail -1 out)" $? 0 " 0 differ"
kill $second

# ---- a part of it
plan one --archive archive --conversation single:restored
check "one conversation" "$(wc -l <one.jsonl)" 5
plan recent --archive archive --since 5d
plan old --archive archive --until 5d
cat old.jsonl recent.jsonl | sort >out
sort plain.jsonl | cmp - out >/dev/null
check "since and until part it in two" "$? $([ -s old.jsonl ] && [ -s recent.jsonl ] && echo two)" "0 two"
try "$m" restore --archive archive --conversation single:nobody-there
check "a conversation that it has not" $status 1 "has no conversation 'single:nobody-there'"
try "$m" restore --archive nowhere; check "an archive that there is not" $status 2 "holds no archive"
try "$m" restore; check "none at all" $status 2 "--archive is missing"
try "$m" restore --archive archive --retention 10d; check "what is older than the app keeps" $status 3 "are older than 10 days"

# ---- what came late stands where it belongs
"$m" export -a it -o late --since 6d >out 2>&1
"$m" export -a it -o late --since 30d >out 2>&1
plan late --archive late
checked late late
check "the archive has them in another order" "$(find late -name '*.jsonl' -path '*conv*' -exec sh -c \
  'sed -n "/\"type\":/d;s/.*\"time\":\([0-9]*\),\"at\".*/\1/p" "$1" | sort -nc 2>/dev/null || echo late' - {} \; | sort -u)" late

# ---- sealed segments, while somebody writes
"$m" export -c rong.lua -a rong -o rong >out 2>&1
try "$m" restore --archive rong
check "the other cloud has no import" $status 1 "unsupported" "--appkey"
plan rong --archive rong --appkey acme#desk
checked rong rong
check "its files are to be fetched" "$(grep -c '"need_download":true' rong.jsonl)" "$(grep -cE '"type":"(img|audio|video|file)"' rong.jsonl)"
check "into the app that was named" "$(grep -c '"path":"/acme/desk/messages/' rong.jsonl)" "$(wc -l <rong.jsonl)"
try "$m" restore --archive rong --appkey nonsense; check "which must be one" $status 1 "'nonsense' is no app key"

# ---- damaged: nothing is planned
file=$(find archive -name '000001.jsonl' | sort | head -1)
cp "$file" whole
for byte in 30 200; do
  printf '\001' | dd of="$file" bs=1 seek=$byte conv=notrunc 2>/dev/null
  plan damaged --archive archive
  check "a byte is changed at $byte: nothing is planned" "$status $(wc -l <damaged.jsonl)" "4 0" "is damaged"
  cp whole "$file"
done
printf 'local m = require "moontide"\nfor line in m.read_archive("archive"):lines { conversation = (...) } do assert(line) end\n' >read.lua
sed -i '1s/.$/!/' "$file"
conversation=$(sed -n '2s/.*"conversation":"\([^"]*\)".*/\1/p' "$file")
try "$m" run read.lua -- "$conversation"
check "a script that reads it gets a fault" $status 4 "archive.damaged"
cp whole "$file"

# ---- the examples of docs/restore.md
sed -n '/^```sh$/,/^```$/p' "$root/docs/restore.md" | sed '/^```/d' | sed 's|moontide |"$m" |; s|desk-archive|archive|' | head -1 >example.sh
try sh -c "m='$m'; . ./example.sh"
check "the first command of docs/restore.md" $status 3 "requests"
echo "1..$count"
