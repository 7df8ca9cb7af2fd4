# Sourced by run.sh: accounts of an app's users. The example is that of docs/apps.md, as it stands there.
example() { # the N-th block of Lua of the page, with the sandbox's addresses
  awk -v n="$1" '/^```lua$/ { i++; on = 1; next } /^```$/ { on = 0 } on && i == n' docs/apps.md |
    sed "s|http://127.0.0.1:8790|$rest|; s|ws://127.0.0.1:8790/websocket|$websocket|"
}
app() { # MORE: an app with that, which is otherwise good
  printf 'app "acme" { provider = "easemob", appkey = "sandbox#demo", client_id = "sandbox-client",\n  rest = "%s", websocket = "%s", %s }\n' \
    "$rest" "$websocket" "$1" >"$work/app.lua"
}
good='client_secret = env "ACME_SECRET"'
ACME_SECRET=sandbox-client-secret
export ACME_SECRET
example 1 >"$work/apps.lua"
example 2 >"$work/unread.lua"
printf '\357\273\277# those who are new\nbert\r\n\n\tcarl  \nann\n#dora\n' >"$work/users.txt"
chmod 600 "$work/apps.lua"
try "$m" run -c apps.lua unread.lua
check "the example of docs/apps.md: every account of the app" $status 0 "acme/agent" "acme/ann	" "acme/bert" "acme/carl"
check "each once, comments left out" "$(grep -c '^acme/' "$work/out")" 4
try "$m" run -c apps.lua -a 'acme/a*' unread.lua
check "a pattern means some" "$status $(grep -c '^acme/a' "$work/out") $(wc -l <"$work/out")" "0 2 2"
try "$m" run -c apps.lua -a 'acme/x*' unread.lua; check "a pattern that means none" $status 2 "is meant by 'acme/x*'"
printf 'print(require "moontide".account("acme/bert").name)' >"$work/other.lua"
try "$m" run -c apps.lua -a 'acme/a*' other.lua; check "and nobody else" $status 1 "account.not_named"
try "$m" conversations -c apps.lua -a acme/agent; check "a command for one of them" $status 0 "group:"
try "$m" conversations -c apps.lua -a acme/agnet; check "a user that is not listed" $status 2 "did you mean 'acme/agent'"
try "$m" conversations -c apps.lua -a acme/somebody-else; check "or is like nobody" $status 2 "any_user"
try "$m" doctor -c apps.lua -a acme/ann; check "the doctor says where the token is from" $status 0 "the app's credentials"
app "$good, any_user = true"
try "$m" conversations -c app.lua -a acme/zoe; check "any user, where the app says so" $status 0
app "$good, tokens = \"dynamic\", users = { \"agent\" }"
try "$m" conversations -c app.lua -a acme/agent; check "tokens that are signed here" $status 0 "group:"

# ---- the same at the other cloud, whose token brings its own navigators
rong() { printf 'app "acme" { provider = "rongcloud", appkey = "sandbox", api = { "%s" }, %s }\n' "$rest" "$1" >"$work/rong.lua"; }
rong 'app_secret = env "RONG_SECRET", any_user = true'
RONG_SECRET=sandbox-app-secret
export RONG_SECRET
try "$m" doctor -c rong.lua -a acme/agent; check "an app secret makes tokens" $status 0 "navigation           ok" "token                ok"
try "$m" doctor -c rong.lua -a acme/nobody-yet; check "not of who is not there" $status 1 "has no user 'nobody-yet'"
rong 'app_secret = env "RONG_SECRET", any_user = true, create_users = true'
try "$m" doctor -c rong.lua -a acme/nobody-yet; check "unless they are to be made" $status 0 "token                ok"
try env RONG_SECRET=wrong-canary-4715 "$m" doctor -v -v -c rong.lua -a acme/agent
check "a wrong app secret" $status 1 "refused the signature"
cp "$work/out" "$work/rong.out"
rong 'app_secret = env "RONG_SECRET", any_user = true, area = "mars"'
try "$m" doctor -c rong.lua -a acme/agent; check "api stands before the area" $status 0
printf 'app "acme" { provider = "rongcloud", appkey = "sandbox", app_secret = env "RONG_SECRET", any_user = true, area = "mars" }\n' >"$work/rong.lua"
try "$m" doctor -c rong.lua -a acme/agent; check "an area that there is not" $status 1 '"sg-b"'

# ---- the sandbox's server API, signed by another program
api() { # PATH BODY TEXT…: the answer holds the texts
  path=$1 body=$2
  shift 2
  nonce=$((count + 4711)) now=$(date +%s)
  signature=$(printf 'sandbox-app-secret%s%s' "$nonce" "$now" | sha1sum | cut -d' ' -f1)
  curl -s -H "App-Key: sandbox" -H "Nonce: $nonce" -H "Timestamp: $now" -H "Signature: $signature" --data "$body" \
    "$rest$path" >"$work/out"
  check "server API: $path" $? 0 "$@"
}
api /user/info.json 'userId=nobody-there' '"code":404'
api /user/getToken.json 'userId=ann' '"code":1002' 'name is required'
api /user/getToken.json 'userId=ann&name=Ann&portraitUri=http%3A%2F%2Fp%2F' '"code":200' "@http://"
api /user/info.json 'userId=ann' '"userName":"Ann","userPortrait":"http://p/"'
api /user/refresh.json 'userId=ann&name=Anna' '"code":200'
api /user/info.json 'userId=ann' '"userName":"Anna","userPortrait":"http://p/"'
api /user/checkOnline.json 'userId=ann' '"status":"0"'
api /message/private/publish.json 'fromUserId=ann&toUserId=bert&toUserId=carl&objectName=RC:TxtMsg&content=%7B%22content%22%3A%22hi%22%7D' \
  '"userId":"bert"' '"userId":"carl"' '"messageUID":"'
api /message/group/publish.json 'fromUserId=ann&toGroupId=g&objectName=RC:TxtMsg&content=%7B%22content%22%3A%22ho%22%7D' '"groupId":"g"'
api /v3/message/group/query.json '{"userId":"ann","targetId":"g","startTime":"0","endTime":"9999999999999","pageSize":"10"}' '\"ho\"'
api /v3/message/private/query.json '{"userId":"bert","targetId":"ann","pageSize":"10"}' '"fromUserId":"ann"' '\"hi\"'
uid=$(sed -n 's/.*"messageUID":"\([^"]*\)".*/\1/p' "$work/out")
api /message/recall.json "fromUserId=bert&conversationType=1&targetId=ann&messageUID=$uid" '"code":1002'
api /message/recall.json "fromUserId=ann&conversationType=1&targetId=bert&messageUID=$uid" '"code":200'
api /v3/message/private/query.json '{"userId":"carl","targetId":"ann","pageSize":"10"}' '\"hi\"'
api /conversation/message/history/clean.json 'conversationType=1&fromUserId=carl&targetId=ann' '"code":200'
api /v3/message/private/query.json '{"userId":"carl","targetId":"ann","pageSize":"10"}' '"data":[]'
api /v3/message/private/query.json '{"userId":"carl","targetId":"ann","pageSize":"101"}' '"code":1002'
api /v3/message/private/query.json '[' '"code":1002'
api /conversation/top/set.json 'userId=ann&conversationType=1&targetId=bert&setTop=true' '"code":200'
api /conversation/notification/set.json 'requestId=ann&conversationType=1&targetId=bert&isMuted=1' '"code":200'
api /conversation/notification/get.json 'requestId=ann&conversationType=1&targetId=bert' '"isMuted":1'
api /user/token/expire.json 'userId=ann&time=1' '"code":200'
curl -s -w ' %{http_code}' --data 'userId=ann' "$rest/user/info.json" >"$work/out"
check "server API: without a signature" $? 0 '"code":1004' ' 401'

# ---- what is wrong is said
printf 'ann\nbob bobson\n' >"$work/bad.txt"
while IFS='|' read -r keys texts; do
  app "$keys"
  try "$m" conversations -c app.lua -a acme/agent
  check "app: $keys" $status 2 "$texts"
done <<'L'
users = { "agent" }|its secret is missing
client_secret = env "NOT_SET_ANYWHERE", users = { "agent" }|NOT_SET_ANYWHERE
client_secrte = env "ACME_SECRET"|did you mean 'client_secret'
client_secret = env "ACME_SECRET", app_secret = env "ACME_SECRET"|are the same
client_secret = env "ACME_SECRET", users = { "agent", "two words" }|user 2 of users
client_secret = env "ACME_SECRET", users = { "agent", 7 }|user 2 of users
client_secret = env "ACME_SECRET", users = "agent"|one a line
client_secret = env "ACME_SECRET", users = file "absent.txt"|absent.txt
client_secret = env "ACME_SECRET", users = file "bad.txt"|line 2 of bad.txt
client_secret = env "ACME_SECRET", any_user = 1|any_user is true or false
client_secret = env "ACME_SECRET", users = { "agent" }, tokens = "own"|tokens is "inherit"
client_secret = env "ACME_SECRET", users = { "agent" }, area = "sg"|neither api nor area
client_secret = "written-here-4714", users = { "agent" }|chmod 600
L
printf 'ann\nbob\001\n' >"$work/bad.txt"
app "$good, users = file \"bad.txt\""
try "$m" conversations -c app.lua -a acme/agent; check "a users file with a control character" $status 2 "line 2 of bad.txt"
head -c 17000000 /dev/zero | tr '\0' '\n' >"$work/bad.txt"
try "$m" conversations -c app.lua -a acme/agent; check "a users file without end" $status 2 "bad.txt"
rm "$work/bad.txt"
echo 'accounts { app = "acme", users = { "a" } }' >"$work/app.lua"
try "$m" conversations -c app.lua -a acme/a; check "accounts of an app that is not there" $status 2 "no app 'acme' above"
echo 'app "a/b" { }' >"$work/app.lua"
try "$m" conversations -c app.lua -a acme/a; check "an app's name" $status 2 "without / and *"

# ---- the secret is nowhere
app "$good, users = { \"agent\", \"ann\", \"bert\" }"
try env ACME_SECRET=wrong-canary-4715 "$m" run -v -v -c app.lua unread.lua
check "a wrong secret" $status 1 "auth.app_refused"
cp "$work/out" "$work/wrong.out"
try "$m" export -v -v -c app.lua -a acme/agent -o app-archive; check "a loud export with the app's credentials" $status 0
cp "$work/out" "$work/app.out"
cat >"$work/ask.lua" <<'L'
local moontide = require "moontide"
local account = moontide.account "acme/agent"
for key, value in pairs { account.name, account.user, account.appkey, account.provider } do print(key, value) end
for _, check in ipairs(account:doctor()) do print(check.name, check.detail) end
L
try "$m" run -v -v -c app.lua ask.lua; check "a script asks its account" $status 0 "configuration"
printf 'canary-4715\nsandbox-client-secret\nsandbox-app-secret\n' >"$work/canaries"
printf 'sandbox-client-secret' | base64 | cut -c3-24 >>"$work/canaries"
leaks=$(cd "$work" && grep -rlF -f canaries rong.out wrong.out app.out out app-archive | wc -l)
check "the secret stands in no log, no fault and no archive" "$leaks" 0
check "which would be found" "$(grep -cF -f "$work/canaries" "$work/canaries")" 4
