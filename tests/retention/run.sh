#!/bin/sh
# `moontide retention` as an operator meets it, at both clouds: what it prints, what it deletes, what it refuses. TAP.
set -u
cd "$(dirname "$0")/../.."
clouds=${MT_CLOUDS:-easemob rongcloud}
. tests/tools/sandbox.sh

left() { # how many messages the owner still finds at the cloud
  next="x=1" n=0
  while [ -n "$next" ]; do
    curl -fsS "$base/sandbox/view?cloud=$cloud&user=$owner&$next" >"$work/view" || return 1
    n=$((n + $(grep -c '"id"' "$work/view")))
    next=$(sed -n 's/.*"next":"\([^"]*\)".*/\1/p' "$work/view")
  done
  echo "$n"
}
equal() { # NAME GOT WANTED
  count=$((count + 1))
  if [ "$2" = "$3" ]; then echo "ok $count - $1"; else echo "not ok $count - $1: $2, wanted $3"; fi
}
number() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$work/out" | tail -1; }
hash() { sed -n 's/^plan \([0-9a-f]*\)$/\1/p' "$work/out"; }

# Messages of a year, a day apart in four conversations, the last of today.
change() {
  now=$(date +%s)
  printf '{"cloud":"%s","empty":true,"do":[' "$cloud"
  i=0 comma=
  while [ $i -lt 200 ]; do
    case $((i % 4)) in
      0) where='"chat":"single","conversation":"bob"' from=bob ;;
      1) where='"chat":"single","conversation":"ann"' from=$owner ;;
      2) where='"chat":"group","conversation":"900001"' from=bob ;;
      *) where='"chat":"group","conversation":"900002"' from=ann ;;
    esac
    printf '%s{"op":"put",%s,"from":"%s","time":%d000,"text":"message %d"}' "$comma" "$where" "$from" \
      $((now - (199 - i) * 86400 - 3600)) $i
    comma=,
    i=$((i + 1))
  done
  printf ']}'
}

world() {
  base=${rest:-$navigator}
  base=http://$(echo "$base" | sed 's,^http://,,; s,/.*,,')
  change >"$work/change.json"
  curl -fsS -o /dev/null --data-binary "@$work/change.json" "$base/sandbox/change" || echo "# the sandbox took no change"
  rm -rf "$work/archive" "$work/state"
}

run_cloud() {
  m="$MOONTIDE"
  write_account it "$owner" 'password = env "TEST_PASSWORD"' >"$work/moontide.lua"
  chmod 600 "$work/moontide.lua"
  world
  equal "$cloud: the world is made" "$(left)" 200

  try "$m" retention -a it --older-than 90d
  check "$cloud: a plan" $status 0 "110 messages to delete, 0 held" "single:bob: 28 of" "nothing was deleted"
  first=$(hash)
  equal "$cloud: nothing is gone" "$(left)" 200
  try "$m" retention -a it --older-than 90d
  equal "$cloud: the same plan has the same hash" "$(hash)" "$first"
  try "$m" retention -a it --older-than 90d --json
  check "$cloud: the plan for programs" $status 0 "\"plan\":\"$first\"" '"planned":110' '"applied":false'
  try "$m" retention -a it --older-than 90d --apply
  check "$cloud: not without an archive" $status 1 "needs --archive"
  try "$m" retention -a it
  check "$cloud: not without a policy" $status 1 "--older-than AGE"

  printf '{"id":"case-7","person":"bob","reason":"a suit"}\n' >"$work/holds"
  try "$m" retention -a it --older-than 90d --hold holds
  check "$cloud: a hold keeps, and says so" $status 0 "case-7 28" "55 messages to delete, 55 held"
  printf '{"id":"case-7","persn":"bob"}\n' >"$work/holds"
  try "$m" retention -a it --older-than 90d --hold holds
  check "$cloud: a misspelt hold stops it" $status 2 "hold" "persn"
  try "$m" retention -a it --older-than 90d --hold nowhere
  check "$cloud: a list that is gone stops it" $status 1 "nowhere"

  try "$m" retention -a it --older-than 90d --archive archive --apply --json
  check "$cloud: the cap of a twentieth" $status 3 '"deleted":10' '"cap":10'
  noted=$(sed -n 's/.*"audit":"\([0-9]*:[0-9a-f]*\)".*/\1/p' "$work/out")
  try "$m" audit --verify --noted "$noted"
  check "$cloud: the end of the run is signed, and can be noted" $status 0 "${noted%:*};" "the record that was noted is there"
  try "$m" audit --plan "$(echo "$first" | cut -c 1-12)" --verb delete_messages --csv
  check "$cloud: what was done under a plan" $status 0 "record,at,type" ",delete_messages," "plan $first" ",gone,"
  equal "$cloud: ten are gone" "$(left)" 190
  try "$m" retention -a it --plan "$first" --archive archive --apply --max 20
  check "$cloud: a plan that is applied by its hash" $status 3 "20 messages deleted" "beyond the cap"

  printf '{"id":"case-8","conversation":"group:900001"}\n' >"$work/holds"
  try "$m" retention -a it --older-than 90d --hold holds --archive archive --apply --max 1000 --json
  check "$cloud: all but what is held" $status 0 '"left":0'
  try "$m" retention -a it --older-than 90d
  equal "$cloud: only what was held is left" "$(sed -n 's/^  \(group:900001\): .*/\1/p' "$work/out")" group:900001
  try "$m" retention -a it --older-than 90d --archive archive --apply --max 1000
  check "$cloud: the rest" $status 0 "read back as gone"
  equal "$cloud: what is younger is there" "$(left)" 90
  try "$m" retention -a it --older-than 90d --archive archive --apply --max 1000
  check "$cloud: once more: nothing" $status 0 "0 messages to delete" "0 messages deleted"
  try "$m" verify archive
  check "$cloud: the archive is sound" $status 0 complete

  # what is held after the plan was made, and what others sent in between, stay
  try "$m" retention -a it --older-than 60d --json
  later=$(sed -n 's/.*"plan":"\([0-9a-f]*\)".*/\1/p' "$work/out")
  printf '{"id":"case-9","conversation":"single:*"}\n' >"$work/holds"
  try "$m" retention -a it --plan "$later" --hold holds --archive archive --apply --max 1000 --json
  check "$cloud: a hold that came after the plan" $status 0 '"deleted":16' '"held":14'
  equal "$cloud: nothing of it is gone" "$(left)" 74
  printf 'return older_than "40d" * from "bob"\n' >"$work/bob.lua"
  try "$m" retention -a it --policy bob.lua --archive archive --apply --max 1000 --json
  check "$cloud: one sender's, not what lies between" $status 0 '"left":0'
  equal "$cloud: the others' are there" "$(left)" "$((74 - $(number deleted)))"
  try "$m" audit --verify
  check "$cloud: the audit is sound" $status 0
  try "$m" audit --prune --before 1d --apply
  check "$cloud: the audit's last segment is never removed" $status 0 "nothing is that old"
  try "$m" audit --prune
  check "$cloud: nothing is removed without a date" $status 1 "--before"
  try "$m" audit --compact
  check "$cloud: what is not finished is not compressed" $status 0 "0 segments compressed"

  printf 'return older_than "30d" - newest(5)\n' >"$work/keep.lua"
  try "$m" retention -a it --policy keep.lua
  check "$cloud: a policy file" $status 0 'older_than("30d") - newest(5)' "messages to delete"

  there=$(left)
  segment=$(find "$work/archive" -name '000001.jsonl*' | head -1)
  printf X | dd of="$segment" bs=1 seek=20 conv=notrunc 2>/dev/null
  try "$m" retention -a it --older-than 30d --archive archive --apply --max 1000
  check "$cloud: a damaged archive stops it" $status 4
  equal "$cloud: and nothing is gone" "$(left)" "$there"
}

start_sandbox --owner me
for cloud in $clouds; do run_cloud; done
echo "1..$count"
