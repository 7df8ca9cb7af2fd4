#!/bin/sh
# Scripts in a process of their own: the same tests as in one process, the same ways out that are closed, and what only
# such a process must not have: secrets, processor time without end, a life of its own. TAP.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
root=$PWD
start_sandbox --generate 2000 --faults seed=9 --rongcloud grpRRVer=4
accounts() {
  write_accounts
  write_account tablet "$owner" 'password = env "TEST_PASSWORD"' ', device = "tablet", delivery_receipts = true'
}
head -c 70 /dev/urandom >"$work/small.png"
head -c 9000000 /dev/urandom >"$work/big.bin"
head -c 12000000 /dev/zero >"$work/huge.bin"
: >"$work/empty.bin"
printf '%s\n' '-- what is kept' 'local images = kind "image"' 'return older_than "1d" - images' >"$work/keep.lua"

# tests/script, isolated: a test that says no grant of its own gets what a script by hand has
isolated_test() {
  rights=$(sed -n '1s/^-- run: //p' "$1")
  case $rights in *--grant*) ;; *) rights="$rights --grant read,mark_read,send,files" ;; esac
  status=0
  # shellcheck disable=SC2086 # several words
  (cd "$place" && timeout 120 "$MOONTIDE" run "$root/$1" --isolated $rights -- "$rest" "$cloud") >"$work/out" 2>&1 || status=$?
  name=$(basename "$1")
  failed=$(lines fail "$work/out")
  passed=$(lines pass "$work/out")
  check "$cloud: $name: $passed checks, as in one process" "$status $failed" "0 0" "pass "
  [ "$failed" = 0 ] || grep '^fail' "$work/out" | sed 's/^/  # /'
}
for cloud in ${MT_CLOUDS:-easemob rongcloud}; do
  place=$work/$cloud
  mkdir -p "$place/out" "$place/outer"
  ln "$work"/*.png "$work"/*.bin "$work/keep.lua" "$place"
  ln "$place/small.png" "$place/out/small.png"
  ln "$place/small.png" "$place/outer/small.png"
  ln -s .. "$place/out/up"
  ln -s / "$place/out/far"
  accounts >"$place/moontide.lua"
  chmod 600 "$place/moontide.lua"
  XDG_STATE_HOME=$place/state
  for file in tests/script/test_*.lua; do isolated_test "$file"; done
done
cloud=easemob
place=$work
XDG_STATE_HOME=$work/state
accounts >"$work/moontide.lua"

# tests/script/escape, isolated
escapes=0
for file in tests/script/escape/*.lua; do
  want=$(sed -n '1s/^-- expect: //p' "$file")
  status=0
  (cd "$work" && timeout 20 "$MOONTIDE" run "$root/$file" -a it --isolated --grant read,mark_read,send,files) >"$work/out" 2>&1 || status=$?
  check "escape $(basename "$file" .lua): $want" "$([ $status = 124 ] && echo hung || echo stopped) $((status < 126))" \
    "stopped 1" "$want"
  escapes=$((escapes + 1))
done
check "there are 60 ways out that are closed, or more" $((escapes >= 60)) 1

# what it may do without being granted anything
echo 'local a = require "moontide".account "it" a:conversation "guest":send "x"' >"$work/sends.lua"
try "$MOONTIDE" run sends.lua --isolated
check "without a grant it may not send" $status 1 "grant.denied"
printf '%s\n' 'local moontide = require "moontide"' 'return moontide.script { name = "x", summary = "x", grant = { send = true }, run = function() end }' >"$work/declares.lua"
try "$MOONTIDE" run declares.lua --isolated
check "nor by declaring it" $((status != 0)) 1 "grant.missing"
printf '%s\n' 'local moontide = require "moontide"' 'return moontide.script { name = "x", summary = "x", args = { n = { kind = "integer" } },' \
  'run = function(with) print("n is " .. with.args.n) return 3 end }' >"$work/described.lua"
try "$MOONTIDE" run described.lua --isolated -- --n 7
check "a described script has its arguments and its status" $status 3 "n is 7"
try "$MOONTIDE" run described.lua --isolated -- --help
check "and its help" $status 0 "--n INTEGER"

# where no secret is
cat >"$work/waits.lua" <<'END'
local moontide = require "moontide"
for _ in moontide.account "it":conversations {} do break end
print "ready"
moontide.sleep "1h"
END
cloud=rongcloud
accounts >"$work/moontide.lua"
(cd "$work" && exec "$MOONTIDE" run waits.lua --isolated) >"$work/lines" 2>&1 &
parent=$!
wait_for "$work/lines" ready 1
child=$(pgrep -P $parent | head -1)
secret=$(printf 'sandbox-%s' "$owner")
if [ "${MT_CONFIG:-release}" = asan ]; then
  there="a sanitizer's own is too much"
else
  there=$(lua5.4 tests/isolated/memory.lua $parent "$secret" 2>/dev/null || echo "this user may not")
fi
case $there in *[!0-9]*)
  echo "# the memory of the processes was not looked at: $there" ;;
*)
  check "the process that has the accounts has the token" $((there > 0)) 1
  check "the script's has not" "$(lua5.4 tests/isolated/memory.lua "$child" "$secret")" 0
  check "nor where the cloud is" "$(lua5.4 tests/isolated/memory.lua "$child" "$navigator")" 0 ;;
esac
tr '\0' ' ' <"/proc/$child/cmdline" >"$work/out"
check "its words say nothing of the script" "$(grep -c 'waits\|lua' "$work/out")" 0 "isolated-script"
check "it has no environment" "$(wc -c <"/proc/$child/environ" 2>/dev/null || echo 0)" 0
grep -h '^Seccomp:\|^NoNewPrivs:' "/proc/$child/status" | tr -s '\t\n' ' ' >"$work/out"
check "the kernel says that it is filtered" 0 0 "NoNewPrivs: 1 Seccomp: 2"

# which does not outlive the other
kill -9 $parent
wait $parent 2>/dev/null
tries=0
while [ -d "/proc/$child" ] && [ $tries -lt 100 ]; do
  tries=$((tries + 1))
  sleep 0.02
done
check "it ends with the one that started it" "$([ -d "/proc/$child" ] && echo there || echo gone)" gone
cloud=easemob
accounts >"$work/moontide.lua"

(cd "$work" && exec "$MOONTIDE" run waits.lua --isolated) >"$work/out" 2>&1 &
parent=$!
wait_for "$work/out" ready 1
kill -9 "$(pgrep -P $parent | head -1)"
wait $parent
check "a script whose process is gone has failed" $? 1 "isolated.killed"

# R22: a slice is no longer than it may be, and a fifth; also where no hook reaches, in the collector
most=1200
case $MOONTIDE in *asan*) most=3000 ;; esac
used() { # sets used_ms: of processor time, by what was waited for; not to be called in a subshell, which has waited for nothing
  times >"$work/times"
  used_ms=$(awk 'NR == 2 { gsub(/[ms]/, " "); print int(($1 * 60 + $2 + $3 * 60 + $4) * 1000) }' "$work/times")
}
echo 'print "nothing"' >"$work/nothing.lua"
used
before=$used_ms
try "$MOONTIDE" run nothing.lua --isolated
used
nothing=$((used_ms - before))
longest=0
ends_in_time() { # NAME SCRIPT ARGUMENTS…
  name=$1
  shift
  used
  before=$used_ms
  try timeout 60 "$MOONTIDE" run "$1" --isolated -- "${2:-}" "${3:-}"
  used
  took=$((used_ms - before - nothing))
  check "$name is ended, within $most ms of the processor" "$status $((took <= most))" "1 1" "script.cpu"
  [ $took -le $longest ] || longest=$took
}
"$MOONTIDE" run tests/grants/limits.lua -c "$work/moontide.lua" -- names >"$work/names"
while IFS= read -r name; do
  case $name in "what a store holds" | "the options of a call") continue ;; esac # there these wait, for the other process
  ends_in_time "$name" "$root/tests/grants/limits.lua" one "$name" </dev/null
done <"$work/names"
cat >"$work/collector.lua" <<'END'
local kept, weak = {}, setmetatable({}, { __mode = "k" })
local key = {}
for i = 1, 300000 do
  local next_key = {}
  weak[next_key] = key
  key = next_key
  kept[1] = key
end
while true do kept[2] = {} end
END
ends_in_time "a chain of weak tables" collector.lua
check "which is known by what was measured ($longest ms)" $((longest > 900)) 1

# what is asked of a script before it runs waits for nobody: nor do others wait for it
printf '%s\n' 'local moontide = require "moontide"' 'while true do moontide.progress {} end' >"$work/asks.lua"
cp "$work/moontide.lua" "$work/asks-for.lua"
chmod 600 "$work/asks-for.lua"
echo 'job "asks" { script = "asks.lua", accounts = { "it" }, isolated = true }' >>"$work/asks-for.lua"
try timeout 30 "$MOONTIDE" serve --check -c asks-for.lua
check "the check of a script that never stops asking ends" $status 2 "script.cpu"

# job { isolated = true }
cat >>"$work/moontide.lua" <<'END'
job "theirs" { script = "hello.lua", accounts = { "it" }, isolated = true }
END
echo 'print("here is " .. require "moontide".account().name)' >"$work/hello.lua"
try "$MOONTIDE" serve --check
check "serve --check looks at an isolated job" $status 0
(cd "$work" && exec "$MOONTIDE" serve) >"$work/out" 2>&1 &
serve=$!
wait_for "$work/out" "theirs: here is it" 1
kill $serve
wait $serve
check "serve runs it" $? 0 "theirs: here is it"
echo "1..$count"
