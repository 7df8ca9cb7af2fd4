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
echo "1..$count"
