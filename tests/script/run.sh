#!/bin/sh
# Runs every script test against a sandbox. A test prints its own lines through check(name, condition); escape tests
# must end in the fault that their first line names. TAP.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
root=$PWD
clouds=${MT_CLOUDS:-easemob rongcloud}
start_sandbox --generate 2000 --faults seed=9 --rongcloud grpRRVer=4
accounts() { # the three accounts of the tests at $cloud
  write_accounts
  write_account tablet "$owner" 'password = env "TEST_PASSWORD"' ', device = "tablet", delivery_receipts = true'
}
accounts >"$work/moontide.lua"

# what test_files.lua sends
head -c 70 /dev/urandom >"$work/small.png"
head -c 9000000 /dev/urandom >"$work/big.bin"
head -c 12000000 /dev/zero >"$work/huge.bin"
: >"$work/empty.bin"

# what test_policy.lua reads
printf '%s\n' '-- what is kept' 'local images = kind "image"' 'return older_than "1d" - images' >"$work/keep.lua"

run_test() { # FILE: its lines become checks
  status=0
  rights=$(sed -n '1s/^-- run: //p' "$1")
  # shellcheck disable=SC2086 # several words
  (cd "$place" && timeout 120 "$MOONTIDE" run "$root/$1" $rights -- "$rest" "$cloud") >"$work/out" 2>&1 || status=$?
  name=$(basename "$1")
  while IFS= read -r line; do
    case $line in
      "pass "*) count=$((count + 1)); echo "ok $count - $cloud: $name: ${line#pass }" ;;
      "fail "*) count=$((count + 1)); echo "not ok $count - $cloud: $name: ${line#fail }" ;;
      "skip "*) echo "# $cloud: $name: not tried: ${line#skip }" ;;
    esac
  done <"$work/out"
  check "$cloud: $name ends well" $status 0
}

# One list of tests for both clouds. What a cloud cannot do the test says itself, from account:can.
for cloud in $clouds; do
  place=$work/$cloud
  mkdir "$place"
  ln "$work"/*.png "$work"/*.bin "$work/keep.lua" "$place"
  mkdir "$place/out" "$place/outer" # test_grant_files.lua
  ln "$place/small.png" "$place/out/small.png"
  ln "$place/small.png" "$place/outer/small.png"
  ln -s .. "$place/out/up"
  ln -s / "$place/out/far"
  accounts >"$place/moontide.lua"
  chmod 600 "$place/moontide.lua"
  XDG_STATE_HOME=$place/state
  for file in tests/script/test_*.lua tests/script/test_store.lua; do # the last one a second time
    run_test "$file"
  done
  for pair in "big.bin big.out" "small.png v.mp4" "small.png still.out"; do
    set -- $pair
    status=0
    cmp "$place/$1" "$place/$2" >"$work/out" 2>&1 || status=$?
    check "$cloud: $2 is $1, byte for byte" $status 0
  done
  left=$(cd "$place" && find . -name '*.part' -o -name cut.out -o -name far.out -o -name no.out)
  check "$cloud: nothing is left of what failed" "$left" ""
done
cloud=easemob
place=$work
XDG_STATE_HOME=$work/state

# Each is ended, or raises, or finds nothing, as its first line says: and never by a signal.
escapes=0
for file in tests/script/escape/*.lua; do
  want=$(sed -n '1s/^-- expect: //p' "$file")
  status=0
  (cd "$work" && timeout 20 "$MOONTIDE" run "$root/$file" -a it) >"$work/out" 2>&1 || status=$?
  check "escape $(basename "$file" .lua): $want" "$([ $status = 124 ] && echo hung || echo stopped) $((status < 126))" \
    "stopped 1" "$want"
  escapes=$((escapes + 1))
done
check "there are 60 ways out that are closed, or more" $((escapes >= 60)) 1

# The matcher of patterns is not Lua's own: both say the same of whatever they are given.
for seed in 1 2 3; do
  lua5.4 "$root/tests/script/same/patterns.lua" $seed 4000 >"$work/want"
  "$MOONTIDE" run "$root/tests/script/same/patterns.lua" -- $seed 4000 >"$work/out" 2>&1
  cmp "$work/want" "$work/out" >/dev/null
  check "4,000 random patterns match as they do in Lua, seed $seed" $? 0
done

# The examples of docs/policies.md, as they stand there: two files and a script.
guide() { awk -v n="$1" '/^```lua$/ { i++; on = 1; next } /^```$/ { on = 0 } on && i == n' "$root/docs/policies.md"; }
guide 1 >"$work/staff.lua"
guide 2 >"$work/line.lua"
echo 'for i = 1, select("#", ...) do print(require "moontide".policy.load((select(i, ...)))) end' >"$work/load.lua"
try "$MOONTIDE" run load.lua -- staff.lua line.lua
check "docs/policies.md: the policy files" $status 0 \
  'older_than("180d") - newest(100) - (from("ann") + from("bob") + from("cyd"))' \
  '(older_than("30d") * larger_than("5MB")) + (older_than("1d") * in_conversation("group:logs*"))'
guide 3 | sed 's/account "desk"/account "it"/' >"$work/select.lua"
try "$MOONTIDE" run select.lua
check "docs/policies.md: the script" $status 0 'larger_than("1MB") + kind("video")' "	video"

# The first script of the README, as it stands there.
sed -n '/^and a script, `busiest.lua`/,/^```$/p' README.md | sed '1,/^```lua$/d;/^```$/d' >"$work/busiest.lua"
sed -i 's/account "desk"/account "it"/' "$work/busiest.lua"
try "$MOONTIDE" run busiest.lua
check "the README's first script runs" $status 0 "single:" "group:"

# The first bot of the README: it answers, in both languages' pages the same.
for page in README.md README.zh-CN.md; do
  sed -n '/^## .*\(A first bot\|第一个机器人\)/,/^```$/p' "$root/$page" | sed '1,/^```lua$/d;/^```$/d' | sed 's/account "desk"/account "it"/' >"$work/bot.lua"
  cat >>"$work/bot.lua" <<'END'
account:on("message", function(message) if message.text == "bye" then account:off() end end)
account:on("connected", function()
  local guest = moontide.account "guest"
  guest:on("message", function(message)
    print(message.text)
    if message.text == "you said: hello bot" then guest:conversation(account.user):send "bye" guest:off() end
  end)
  guest:on("connected", function() guest:conversation(account.user):send "hello bot" end)
end)
END
  try timeout 60 "$MOONTIDE" run bot.lua
  check "the first bot of $page answers" $status 0 "you said: hello bot"
done
echo "1..$count"
