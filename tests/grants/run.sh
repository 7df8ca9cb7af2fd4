#!/bin/sh
# What a script may do and what it may not: one test for each function and its grant, generated from the API records;
# limits under serve; the examples of docs/grants.md. TAP.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
root=$PWD
start_sandbox --generate 100 --rongcloud grpRRVer=4
stats=$rest/sandbox/stats
ALL=$(lua5.4 tests/grants/generate.lua list | sed "s/^http/&:127.0.0.1/" | tr "\n" ,)

from_lines() { # what a script said of itself becomes checks; its status
  while IFS= read -r line; do
    line=${line#permissions: }
    case $line in
      "pass "*) count=$((count + 1)); echo "ok $count - $cloud: ${line#pass }" ;;
      "fail "*) count=$((count + 1)); echo "not ok $count - $cloud: ${line#fail }" ;;
    esac
  done <"$work/out"
}

lua5.4 tests/grants/generate.lua check 1 >"$work/checked"
cat "$work/checked"
count=$(wc -l <"$work/checked")

sent() { curl -s "$stats" | sed 's/.*"requests":\([0-9]*\),.*"frames":\([0-9]*\),"users.*"rongcloud":.*"frames":\([0-9]*\).*/\1 \2 \3/'; }

for cloud in ${MT_CLOUDS:-easemob rongcloud}; do
  place=$work/$cloud
  mkdir "$place"
  write_accounts >"$place/moontide.lua"
  chmod 600 "$place/moontide.lua"
  head -c 70 /dev/urandom >"$place/small.png"
  XDG_STATE_HOME=$place/state
  for grant in $(lua5.4 tests/grants/generate.lua list); do
    for mode in granted denied; do
      [ "$mode $grant" = "denied files" ] && continue # by hand it is always given: below, under serve
      lua5.4 tests/grants/generate.lua $mode "$grant" "$cloud" "$stats" >"$place/permissions.lua"
      try timeout 60 "$MOONTIDE" run permissions.lua --grant $ALL --apply
      from_lines
      check "$cloud: $mode $grant ends well" $status 0
    done
  done

  # without http the script cannot look itself; nothing is prepared, so nothing at all is sent
  for grant in http files; do
    lua5.4 tests/grants/generate.lua stated $grant "$cloud" "$stats" >"$place/permissions.lua"
    cp "$place/moontide.lua" "$place/serve.lua"
    chmod 600 "$place/serve.lua"
    rest_of=$(printf %s "$ALL" | tr , '\n' | grep -v "^$grant" | sed 's/.*/"&"/' | tr '\n' ,)
    echo "job \"permissions\" { script = \"permissions.lua\", accounts = { \"it\", \"guest\" }, apply = true, grant = { $rest_of } }" >>"$place/serve.lua"
    before=$(sent)
    (cd "$place" && exec timeout 60 "$MOONTIDE" serve -c serve.lua) >"$work/out" 2>"$work/err" &
    pid=$!
    wait_for "$work/out" "permissions: over" 1
    check "$cloud: stated $grant ends well" $? 0
    kill $pid 2>/dev/null
    wait $pid 2>/dev/null
    from_lines
    after=$(sent)
    # shellcheck disable=SC2086 # three numbers each
    set -- $before $after
    check "$cloud: without $grant nothing is sent" "$(($4 - $1 - 1)) $(($5 - $2)) $(($6 - $3))" "0 0 0"
  done
done
cloud=easemob
place=$work
cp "$work/easemob/moontide.lua" "$work/moontide.lua"
XDG_STATE_HOME=$work/state

most=1200
case $MOONTIDE in *asan*) most=3000 ;; esac
try timeout 300 "$MOONTIDE" run "$root/tests/grants/limits.lua" -- $most
from_lines
check "limits.lua ends well" $status 0
sed -n 's/^note /# /p' "$work/out"

# What a script holds when it has taken all that it can get, as the kernel counts it.
cat >"$work/idle.lua" <<'END'
local moontide = require "moontide"
moontide.sleep(0)
moontide.json.decode(moontide.json.encode { ("x"):rep(1000), {} })
pcall(error, ("x"):rep(1 << 16))
print "full"
moontide.sleep "1m"
END
cat >"$work/strings.lua" <<'END'
local moontide = require "moontide"
local kept, json, reserve = {}, moontide.json, ("y"):rep(1 << 20)
pcall(function() while true do kept[#kept + 1] = ("x"):rep(1 << 20) .. #kept moontide.sleep(0) end end)
pcall(json.encode, kept)
moontide.sleep(0)
pcall(function() json.decode("[" .. ("[],"):rep(300000) .. "1]") end)
reserve = nil
print "full"
moontide.sleep "1m"
END
cat >"$work/values.lua" <<'END'
local moontide = require "moontide"
local kept, reserve = {}, ("y"):rep(1 << 20)
pcall(function() kept[1] = moontide.json.decode("[" .. ("[],"):rep(400000) .. "1]") end)
pcall(function() for i = 1, 1e9 do
  kept[#kept + 1] = { i }
  if i % 20000 == 0 then moontide.sleep(0) end
end end)
reserve = nil
print "full"
require "moontide".sleep "1m"
END
peak_kb() { # SCRIPT
  : >"$work/$1.out"
  (cd "$work" && exec "$MOONTIDE" run "$1") >"$work/$1.out" 2>"$work/$1.err" &
  pid=$!
  wait_for "$work/$1.out" full 1 || cat "$work/$1.err" >&2
  peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status")
  kill $pid
  wait $pid 2>/dev/null
  echo "$peak"
}
case $MOONTIDE in *asan*) echo "# memory as the kernel counts it: not looked at with a sanitizer in between" ;; *)
  idle=$(peak_kb idle.lua)
  strings=$(($(peak_kb strings.lua) - idle))
  values=$(($(peak_kb values.lua) - idle))
  echo "# a script that takes all: $strings kB of texts, $values kB of small values; its quota is 65536 kB"
  check "texts take no more than the quota and 1 MB, beside pages of the program" $((strings > 40000 && strings <= 67072)) 1
  check "small values take what their allocation costs, too" $((values > 40000 && values <= 98304)) 1
  ;;
esac

# docs/grants.md: its jobs load, and the two that are a risk are said; its commands run; its script too.
mkdir "$work/docs"
place=$work/docs
awk '/^```lua$/ { on = 1; n++; next } /^```$/ { on = 0 } on { print > ("'"$place"'/block" n ".lua") }' docs/grants.md
write_account desk "$owner" 'password = env "TEST_PASSWORD"' >"$place/moontide.lua"
cat "$place/block1.lua" >>"$place/moontide.lua"
chmod 600 "$place/moontide.lua"
for name in answers backup hook tidy; do echo 'print("ran", ...)' >"$place/$name.lua"; done
try "$MOONTIDE" serve --check
check "the jobs of docs/grants.md are good" $status 0 "job 'answers': answers.lua is good" "job 'backup': backup.lua is good" \
  "job 'hook': hook.lua is good" "job 'tidy': tidy.lua is good" "job 'hook': it may read messages and send"
check "and nothing is said of the others" "$(grep -c "it may" "$work/out")" 1
sed -i 's/"read", "organise", delete/"read", "send", delete/' "$place/moontide.lua"
try "$MOONTIDE" jobs
check "moontide jobs says it as well" $status 0 "tidy: it may send messages and delete the traces"
commands=0
sed -n 's/^    moontide run \([a-z]*\.lua\) \(--grant .*\)/\1 \2/p' docs/grants.md >"$work/commands"
while read -r line; do
  # shellcheck disable=SC2086 # several words
  try "$MOONTIDE" run $line
  check "moontide run $line" $status 0 ran
  commands=$((commands + 1))
done <"$work/commands"
check "the commands of docs/grants.md were tried" $((commands >= 5)) 1
try "$MOONTIDE" run block2.lua
check "the script of docs/grants.md" $status 0 "false	grant.denied"
try "$MOONTIDE" run block2.lua --grant read,send:to=single:*
check "it starts within what it was granted" $status 0 "false	grant.denied"
try "$MOONTIDE" run block2.lua --grant read,send:to=group:*
check "and not beyond" $status 1 "grant.missing" "send:to=single:*"
for bad in 'send = { rate = "many" }' 'send = { rat = "1/h" }' 'send = { to = {} }' 'http = {}' 'files = {}' 'delete = { max = 1 }' \
  'read = { 1 }' 'files = { 1 }' 'http = { "https://x.y/" }' 'send = "all"' 'delete = { max_per_run = "all" }' '5'; do
  { write_account desk "$owner" 'password = env "TEST_PASSWORD"'; echo "job \"x\" { script = \"hook.lua\", accounts = { \"desk\" }, grant = { $bad } }"; } >"$place/bad.lua"
  chmod 600 "$place/bad.lua"
  try "$MOONTIDE" serve --check -c bad.lua
  check "grant = { $bad } is refused" $status 2 "job 'x'"
done

# Under serve: other accounts are not opened, and a rate outlives the script that used it up.
place=$work/easemob
cat >"$place/others.lua" <<'END'
local moontide = require "moontide"
print("others", select(2, moontide.try(moontide.account, "it")).code, table.concat(moontide.accounts(), ","))
END
cat >"$place/none.lua" <<'END'
local moontide = require "moontide"
print("none", select(2, moontide.try(moontide.account)).code, select(2, moontide.try(moontide.account, "guest")).code, #moontide.accounts())
END
cat >"$place/rate.lua" <<'END'
local moontide = require "moontide"
local chat = moontide.account():conversation "single:ratepeer"
for i = 1, 9 do
  local ok, fault = moontide.try(chat.send, chat, "n" .. i)
  if not ok then print(fault.code) error "again" end
end
END
cp "$place/moontide.lua" "$place/serve.lua"
cat >>"$place/serve.lua" <<'END'
job "others" { script = "others.lua", accounts = { "guest" } }
job "none" { script = "none.lua" }
job "rate" { script = "rate.lua", accounts = { "guest" }, grant = { send = { rate = "2/h" } } }
END
chmod 600 "$place/serve.lua"
start_serve() { # CONFIGURATION OUT
  : >"$place/$2"
  (cd "$place" && exec "$MOONTIDE" serve -c "$1") >"$place/$2" 2>"$place/$2.err" &
  pid=$!
}
stop_serve() {
  kill $pid
  wait $pid 2>/dev/null
}
start_serve serve.lua serve.out
wait_for "$place/serve.out" "rate: grant.rate" 3
check "a script that begins again has no more than one that stays" $? 0
stop_serve
cp "$place/serve.out" "$work/out"
check "a job opens the accounts that it names" 0 0 "others	account.not_named	guest" "none	config.no_account	account.not_named	0"
try "$MOONTIDE" history -a guest single:ratepeer
check "two were sent, whichever script it was" "$(grep -c "n[0-9]" "$work/out")" 2

# One script computes as much as it may, another one wants to be called every 10 ms.
cat >"$place/honest.lua" <<'END'
local moontide = require "moontide"
local late, last = {}, moontide.now()
for i = 1, 300 do
  moontide.sleep(10)
  local now = moontide.now()
  late[i], last = now - last - 10, now
end
table.sort(late)
print(("late %d %d %d"):format(late[150], late[297], late[300]))
END
echo 'require "moontide".sleep(1) while true do pcall(function() while true do end end) end' >"$place/loops.lua"
echo 'require "moontide".sleep(1) local t = {} while true do t[#t + 1] = ("x"):rep(1000) end' >"$place/eats.lua"
cat >"$place/slices.lua" <<'END'
local moontide = require "moontide"
moontide.every("10ms", function() local t = moontide.now() while moontide.now() < t + 40 do end end)
END
for attacker in nobody loops eats slices; do
  sed '/^job/d' "$place/serve.lua" >"$place/attack.lua"
  echo 'job "honest" { script = "honest.lua" }' >>"$place/attack.lua"
  [ $attacker = nobody ] || echo "job \"attacker\" { script = \"$attacker.lua\" }" >>"$place/attack.lua"
  chmod 600 "$place/attack.lua"
  start_serve attack.lua "$attacker.out"
  wait_for "$place/$attacker.out" "honest: late" 1
  stop_serve
  # shellcheck disable=SC2046 # three numbers
  set -- $(sed -n 's/^honest: late //p' "$place/$attacker.out")
  echo "# a timer of 10 ms beside $attacker: $1 ms late in the middle, $2 ms at p99, $3 ms at most"
  check "beside $attacker no script waits longer than a slice" $(($3 <= most + 300)) 1
done
echo "1..$count"
