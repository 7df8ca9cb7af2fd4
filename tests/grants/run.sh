#!/bin/sh
# What a script may do and what it may not: one test for each function and its grant, generated from the API records;
# limits under serve; the examples of docs/grants.md. TAP.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
root=$PWD
start_sandbox --generate 100 --rongcloud grpRRVer=4
stats=$rest/sandbox/stats
ALL=read,mark_read,send,organise,delete,http:127.0.0.1,files

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
  { write_account it "$owner" 'password = env "TEST_PASSWORD"'; write_account guest guest 'password = env "TEST_PASSWORD"'; } >"$place/moontide.lua"
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
echo "1..$count"
