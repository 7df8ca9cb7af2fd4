#!/bin/sh
# Lists of holds that the configuration names, at both clouds: everything that removes messages, with a list that holds
# them, one that does not, one that is not there, one that is broken, and one that changes meanwhile. TAP.
set -u
cd "$(dirname "$0")/../.."
. tests/tools/sandbox.sh
root=$PWD
start_sandbox --owner me --rongcloud grpRRVer=4

base() { b=${rest:-$navigator}; echo "http://$(echo "$b" | sed 's,^http://,,; s,/.*,,')"; }
left() { # how many messages the owner still finds at the cloud
  next="x=1" n=0
  while [ -n "$next" ]; do
    curl -fsS "$(base)/sandbox/view?cloud=$cloud&user=$owner&$next" >"$work/view" || return 1
    n=$((n + $(grep -c '"id"' "$work/view")))
    next=$(sed -n 's/.*"next":"\([^"]*\)".*/\1/p' "$work/view")
  done
  echo "$n"
}
# 40 messages of 40 days in four conversations, or N in as many groups as are asked for.
change() { # N GROUPS
  printf '{"cloud":"%s","empty":true,"do":[' "$cloud"
  now=$(date +%s) i=0 comma=
  while [ $i -lt "$1" ]; do
    case $((i % 4)) in
      0) where='"chat":"single","conversation":"bob"' from=bob ;;
      1) where='"chat":"single","conversation":"ann"' from=$owner ;;
      2) where='"chat":"group","conversation":"900001"' from=bob ;;
      *) where='"chat":"group","conversation":"900002"' from=ann ;;
    esac
    [ "$2" = 0 ] || { where='"chat":"group","conversation":"'$((900100 + i % $2))'"'; from=bob; }
    printf '%s{"op":"put",%s,"from":"%s","time":%d000,"text":"message %d"}' "$comma" "$where" "$from" \
      $((now - ($1 - i) * 86400)) $i
    comma=,
    i=$((i + 1))
  done
  printf ']}'
}
world() { # N GROUPS
  change "$1" "$2" >"$work/change.json"
  curl -fsS -o /dev/null --data-binary "@$work/change.json" "$(base)/sandbox/change" || echo "# the sandbox took no change"
  rm -rf "$place/archive"
}
faults() { curl -fsS -o /dev/null --data-binary "$1" "$(base)/sandbox/faults" || echo "# the sandbox took no faults"; }
configure() { # [GLOBAL] [OF THE ACCOUNT]
  { echo "$1"; write_account it "$owner" 'password = env "TEST_PASSWORD"' "${2:-}"; } >"$place/moontide.lua"
  chmod 600 "$place/moontide.lua"
}
hold() { # LINE…: the list, put in place as people are told to
  for line in "$@"; do printf '%s\n' "$line"; done >"$place/holds.new"
  mv "$place/holds.new" "$place/holds.jsonl"
}
deleting() { # NAME WANT [UNSEEN]: each of deleting.lua is a check
  try timeout 120 "$MOONTIDE" run deleting.lua --grant read,send,files,delete --apply -- "$2" "${3:-}"
  ran=0
  while IFS= read -r line; do
    case $line in
      "pass "*) count=$((count + 1)); ran=$((ran + 1)); echo "ok $count - $cloud: $1: ${line#pass }" ;;
      "fail "*) count=$((count + 1)); ran=$((ran + 1)); echo "not ok $count - $cloud: $1: ${line#fail }" ;;
    esac
  done <"$work/out"
  check "$cloud: $1: all ten were tried" "$status $ran" "0 10"
}
# A change of the list while something runs: when fewer messages are there than N.
change_list() { # N LINE…
  n=$1
  shift
  tries=0
  until [ "$(left)" -lt "$n" ]; do
    tries=$((tries + 1))
    [ $tries -le 2000 ] || break
  done
  hold "$@"
}
equal() { # NAME GOT WANTED
  count=$((count + 1))
  if [ "$2" = "$3" ]; then echo "ok $count - $1"; else echo "not ok $count - $1: $2, wanted $3"; fi
}

matrix() { # WHERE: the list is in force
  world 40 0
  hold '{"id":"all","everything":true}'
  deleting "$1, all is held" hold.message hold.conversation
  equal "$cloud: $1: nothing is gone" "$(left)" 42
  hold '{"id":"other","account":"another","everything":true}'
  deleting "$1, a broken list" hold.syntax
  rm "$place/holds.jsonl"
  deleting "$1, a missing list" hold.missing
  equal "$cloud: $1: still nothing is gone" "$(left)" 46
  hold '{"id":"other","account":"another"}' "{\"id\":\"late\",\"conversation\":\"single:zoe\",\"account\":\"nobody\"}"
  deleting "$1, others are held" gone
  equal "$cloud: $1: everything is gone" "$(left)" 0
}

partly() { # what is held in part, and what a script does about it
  world 40 0
  hold '{"id":"case-7","person":"bob"}' '{"id":"late","conversation":"group:900002","since":"2030-01-01"}'
  cat >"$place/partly.lua" <<'END'
local moontide = require "moontide"
local account = moontide.account()
local function say(name, f, ...)
  local ok, fault = moontide.try(f, ...)
  print(name, ok and "gone" or fault.code, ok and "" or fault.message)
end
local function of(id, n)
  local list = {}
  for message in account:conversation(id):history { limit = n } do list[#list + 1] = message end
  return list
end
local ann, bob = account:conversation "single:ann", account:conversation "single:bob"
local second = account:conversation "group:900002"
say("bob's", bob.delete_messages, bob, { ids = of("single:bob", 1) })
say("mine to ann", ann.delete_messages, ann, { ids = of("single:ann", 1) })
say("ann's in a group", second.delete_messages, second, { ids = of("group:900002", 1) })
say("an id alone", second.delete_messages, second, { ids = { of("group:900002", 1)[1].id } })
say("unseen, with ann alone", ann.delete_messages, ann, { before = moontide.now() - 20 * 86400000 })
say("unseen, with bob", bob.delete, bob)
say("unseen, in a group that bob may be in", second.delete, second)
for _, name in ipairs { "holds.jsonl", "./holds.jsonl", "link" } do
  print("touch", select(2, moontide.try(moontide.read_archive, name)).code)
end
for _, list in ipairs(account:holds()) do print("list", list.holds, list.path:match "[^/]*$") end
END
  ln -sf holds.jsonl "$place/link"
  try "$MOONTIDE" run partly.lua --grant read,files,delete --apply
  check "$cloud: what is not held is deleted, the rest is named" $status 0 "bob's	hold.message" "case-7" \
    "mine to ann	gone" "ann's in a group	gone" "an id alone	hold.message" "give the message" \
    "unseen, with ann alone	gone" "unseen, with bob	hold.conversation" "unseen, in a group that bob may be in	hold.conversation"
  check "$cloud: no script touches the list, and which is in force is said" "$(grep -c "touch	file.private" "$work/out")" 3 \
    "list	2	holds.jsonl"
  rm -f "$place/link"
}

retention() {
  world 40 0
  hold '{"id":"case-7","person":"bob"}'
  try "$MOONTIDE" retention -a it --older-than 10d
  check "$cloud: retention plans around it without being told" $status 0 "case-7 8" "16 held"
  printf '{"id":"case-8","conversation":"group:900002"}\n' >"$place/more.jsonl"
  try "$MOONTIDE" retention -a it --older-than 10d --hold more.jsonl
  check "$cloud: a list that is named besides is added" $status 0 "case-7 8" "case-8 7" "23 held"
  printf '# nothing\n' >"$place/none.jsonl"
  try "$MOONTIDE" retention -a it --older-than 10d --hold none.jsonl --archive archive --apply --max 1000 --json
  check "$cloud: and replaces nothing" $status 0 '"deleted":15' '"held":16'
  equal "$cloud: what is held is there" "$(left)" 25

  # a plan that was made before the list was there
  hold '# nothing'
  try "$MOONTIDE" retention -a it --older-than 5d
  plan=$(sed -n 's/^plan \([0-9a-f]*\)$/\1/p' "$work/out")
  hold '{"id":"case-9","everything":true}'
  try "$MOONTIDE" retention -a it --plan "$plan" --archive archive --apply --max 1000 --json
  check "$cloud: what came after the plan holds" $status 0 '"deleted":0' '"held":21'
  hold '{"id":"case-9","evrything":true}'
  try "$MOONTIDE" retention -a it --plan "$plan" --archive archive --apply --max 1000
  check "$cloud: a broken list stops it" $((status != 0)) 1 evrything
  try "$MOONTIDE" doctor -a it
  check "$cloud: the doctor says that it is broken" $status 1 "holds" "failed" "evrything"
  hold '{"id":"case-9","everything":true}'
  try "$MOONTIDE" doctor -a it
  check "$cloud: and which one is in force" $status 0 "holds.jsonl: 1 in force"
  equal "$cloud: nothing was deleted meanwhile" "$(left)" 25
}

meanwhile() { # the list changes between two batches
  hold '# nothing'
  world 240 24
  faults latency=150ms
  change_list 240 '{"id":"new","everything":true}' &
  changer=$!
  try timeout 120 "$MOONTIDE" retention -a it --older-than 1h --archive archive --apply --max 1000 --json
  wait $changer
  faults ""
  deleted=$(sed -n 's/.*"deleted":\([0-9]*\).*/\1/p' "$work/out")
  held=$(sed -n 's/.*"left_over":{[^}]*"held":\([0-9]*\).*/\1/p' "$work/out")
  check "$cloud: a hold that is added while retention runs counts from the next batch ($deleted deleted, $held held)" \
    "$((deleted > 0 && held > 0 && deleted + held == 240)) $(left)" "1 $held"

  hold '# nothing'
  world 600 1
  cat >"$place/many.lua" <<'END'
local moontide = require "moontide"
local group, ids = moontide.account():conversation "group:900100", {}
for message in group:history {} do ids[#ids + 1] = message end
print(#ids, select(2, moontide.try(group.delete_messages, group, { ids = ids })).message)
END
  faults latency=150ms
  change_list 600 '{"id":"new","person":"bob"}' &
  changer=$!
  try timeout 120 "$MOONTIDE" run many.lua --grant read,delete --apply
  wait $changer
  faults ""
  n=$(left)
  check "$cloud: and so with messages that a script names ($n left)" "$((n > 0 && n < 600))" 1 "600	after the first" "of 600" "held by 'new'"
}

for cloud in ${MT_CLOUDS:-easemob rongcloud}; do
  place=$work/$cloud
  mkdir "$place"
  XDG_STATE_HOME=$place/state
  cp "$root/tests/holds/deleting.lua" "$place"
  configure 'holds = "holds.jsonl"'
  matrix "of all accounts"
  configure '' ', holds = "holds.jsonl"'
  matrix "of the account"
  partly
  retention
  meanwhile
  configure ''
  rm -f "$place/holds.jsonl"
  try "$MOONTIDE" doctor -a it
  check "$cloud: without a list the doctor says so" $status 0 "no list of holds is in force"
done
for slip in 'hold = "holds.jsonl"' 'legal_holds = "x"' 'holds = 1' 'holds = ""' 'holds = { "a" }'; do
  configure "$slip"
  try "$MOONTIDE" doctor -a it
  check "$slip is refused" $((status != 0)) 1 holds
done
configure '' ', hold = "x"'
try "$MOONTIDE" doctor -a it
check "and so is a slip at an account" $((status != 0)) 1 "did you mean 'holds'"
# docs/holds.md: its configuration, and its list.
awk '/^```lua$/ { on = 1; next } /^```$/ { on = 0 } on' docs/holds.md >"$place/moontide.lua"
awk '/^```jsonl$/ { on = 1; next } /^```$/ { on = 0 } on' docs/holds.md >"$place/holds.jsonl"
echo '# nothing is held' >"$place/legal.jsonl"
echo 'for _, list in ipairs(require("moontide").account("legal"):holds()) do print(list.holds, list.path) end' >"$place/lists.lua"
chmod 600 "$place/moontide.lua"
LEGAL_PASSWORD=x try "$MOONTIDE" run lists.lua
check "the configuration of docs/holds.md puts two lists in force" $status 0 "4	holds.jsonl" "0	legal.jsonl"
echo "1..$count"
