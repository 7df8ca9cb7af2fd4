# Sourced by test scripts: start_sandbox OPTIONS… sets rest, websocket, navigator, owner and writes $work/moontide.lua with
# the account "it" of the cloud $cloud (easemob, unless it is set before); everything is cleared away at the end.
cloud=${cloud:-easemob}
MOONTIDE=${MOONTIDE:-build/bin/moontide}
case $MOONTIDE in /*) ;; *) MOONTIDE=$PWD/$MOONTIDE ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/moontide-test-XXXXXX")
sandbox_pid=
cleanup() {
  if [ -n "$sandbox_pid" ]; then kill "$sandbox_pid" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/ready"; }

start_sandbox() {
  mkfifo "$work/pipe"
  "$MOONTIDE" sandbox "$@" >"$work/pipe" 2>"$work/sandbox.log" &
  sandbox_pid=$!
  IFS= read -r ready <"$work/pipe" || { cat "$work/sandbox.log" >&2; exit 1; }
  printf '%s\n' "$ready" >"$work/ready"
  rm "$work/pipe"
  rest=$(field rest)
  websocket=$(field websocket)
  navigator=$(field navigator)
  owner=$(field owner)
  TEST_PASSWORD=secret
  XDG_STATE_HOME=$work/state
  export TEST_PASSWORD XDG_STATE_HOME
  write_account it "$owner" 'password = env "TEST_PASSWORD"' >"$work/moontide.lua"
  chmod 600 "$work/moontide.lua"
}

write_account() { # NAME USER SECRET [MORE]: a cloud that knows tokens only has one for every user
  if [ "$cloud" = rongcloud ]; then
    printf 'account "%s" { provider = "rongcloud", appkey = "sandbox", user = "%s", token = "sandbox-%s",\n  navigators = { "%s" } %s }\n' \
      "$1" "$2" "$2" "$navigator" "${4:-}"
    return
  fi
  printf 'account "%s" { provider = "easemob", appkey = "sandbox#demo", user = "%s", %s,\n  rest = "%s", websocket = "%s" %s }\n' \
    "$1" "$2" "$3" "$rest" "$websocket" "${4:-}"
}

write_accounts() { # the owner's, "it", and guest's
  write_account it "$owner" 'password = env "TEST_PASSWORD"'
  write_account guest guest 'password = env "TEST_PASSWORD"'
}

count=0
check() { # NAME STATUS WANTED_STATUS [TEXT THAT THE OUTPUT HOLDS…]
  name=$1 got=$2 want=$3
  shift 3
  count=$((count + 1))
  ok=1
  [ "$got" = "$want" ] || ok=0
  for text in "$@"; do grep -qF -- "$text" "$work/out" || ok=0; done
  if [ $ok = 1 ]; then
    echo "ok $count - $name"
  else
    echo "not ok $count - $name"
    echo "  # status $got, wanted $want, with: $*"
    sed 's/^/  # /' "$work/out" | head -8
  fi
}

place=$work
try() { # COMMAND…: in $place, output to $work/out, status in $status
  status=0
  (cd "$place" && "$@") >"$work/out" 2>&1 || status=$?
}

# Sets drawn to a number from 0 to N-1; the same ones for the same $seed. Not to be called in a subshell: it would draw
# the same number again and again.
random() { # N
  seed=$(((seed * 1103515245 + 12345) % 2147483648))
  drawn=$((seed / 65536 % $1))
}

lines() { grep -c "^$1" "$2" 2>/dev/null || true; }
wait_for() { # FILE PATTERN COUNT: until the file has so many such lines, at most half a minute
  tries=0
  until [ "$(lines "$2" "$1")" -ge "$3" ]; do
    tries=$((tries + 1))
    [ $tries -le 600 ] || return 1
    sleep 0.05
  done
}
