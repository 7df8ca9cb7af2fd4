-- The faults of R15, one case each. A case: the fault text of docs/sandbox.md, how the export ends under it
-- ("complete", or "fails": then says is what the one line must hold), and within how many seconds.
--   hits = false     the sandbox does not count this fault
--   timeout          of the account; patience: of the export. Without them the real deadlines are in force
--   says = { … }  each of these; of a table inside, any (it depends on whether tries or time run out first)
--   status           where it fails: 1 nothing more could be done, 3 done in part
--   messages         how many the account has (3,000); over 50 conversations from 40,000 on
--   args             more of the export
--   slow = true      takes half a minute by its nature
--   cloud            "rongcloud"; else Easemob's
local HISTORY = ",only=messageroaming"
local LIST = ",only=user_channels"
local LOGIN = ",only=token"
-- The last is said where a slow machine needs all of the time for the tries.
local IN_TROUBLE = {
  { "the cloud failed: run again later", "the cloud is busy: run again later", "failed with status 50", "try again later" },
}
local AGAIN = "run the same command again"

local cases = {
  -- too many requests
  { name = "429 with Retry-After", faults = "p429=1,retry_after=1,after=10,times=3" .. HISTORY, ends = "complete", within = 60 },
  { name = "429 without Retry-After", faults = "p429=1,retry_after=none,after=10,times=3" .. HISTORY,
    ends = "complete", within = 60 },
  { name = "429 with a Retry-After that is no number", faults = "p429=1,retry_after=garbage,after=10,times=3" .. HISTORY,
    ends = "complete", within = 60 },
  { name = "a limit of 60 a second", faults = "rate=60/s", hits = false, ends = "complete", within = 90 },
  { name = "429 for ever", faults = "p429=1,retry_after=1,after=10" .. HISTORY, timeout = "2s", patience = "0s",
    ends = "fails", status = 1, within = 40,
    says = { { "takes no more requests", "too many requests", "had to wait for its turn" } } },
  { name = "429 with an hour to wait", faults = "p429=1,retry_after=3600,after=10" .. HISTORY, timeout = "2s",
    patience = "0s", ends = "fails", status = 1, says = { "takes no more requests", "try again then" }, within = 20 },
  { name = "429 at the login", faults = "p429=1,retry_after=1,times=2" .. LOGIN, ends = "complete", within = 30 },

  -- the server is in trouble
  { name = "5xx now and then", faults = "p5xx=0.2" .. HISTORY, ends = "complete", within = 60 },
  { name = "5xx for ever", faults = "p5xx=1,after=10" .. HISTORY, timeout = "2s", patience = "0s",
    ends = "fails", status = 1,
    says = IN_TROUBLE, within = 40 },
  { name = "5xx at the list and the login", faults = "p5xx=1,times=3", ends = "complete", within = 60 },
  { name = "5xx for ever at the list", faults = "p5xx=1" .. LIST, timeout = "2s", ends = "fails", status = 1,
    says = IN_TROUBLE, within = 30 },
  { name = "connections cut", faults = "cut=1,after=10,times=5" .. HISTORY, ends = "complete", within = 60 },
  { name = "connections cut for ever", faults = "cut=1,after=10" .. HISTORY, timeout = "2s", patience = "0s",
    ends = "fails", status = 1, says = { { "closed the connection", "no answer" } }, within = 40 },
  { name = "the server freezes", faults = "latency=40ms", hits = false, freeze = 0.3, timeout = "2s", patience = "0s",
    args = "--parallel 1 --concurrency 4",
    ends = "fails", status = 1, says = { "within 4.0 s", "try again later" }, within = 60 },

  -- the token
  { name = "401 in the middle, with a password", faults = "expire_after=60,log=on", hits = false, ends = "complete",
    logins = 2, within = 20 },
  { name = "401 in the middle, token only", faults = "expire_after=60", hits = false, account = "token", ends = "fails",
    status = 1, says = { "token", "get a new user token", "[auth.token_rejected]" }, within = 20 },

  -- bodies
  { name = "truncated bodies", faults = "truncate=1,after=10,times=3" .. HISTORY, ends = "complete", within = 60 },
  { name = "truncated bodies for ever", faults = "truncate=1,after=10" .. HISTORY, timeout = "2s", patience = "0s",
    ends = "fails", status = 1, says = { { "broke off", "no answer" } }, within = 40 },
  { name = "a truncated list", faults = "truncate=1,times=2" .. LIST, ends = "complete", within = 30 },
  { name = "wrong Content-Length", faults = "length=1,after=10,times=3" .. HISTORY, ends = "complete", within = 60 },
  { name = "wrong Content-Length for ever", faults = "length=1,after=10" .. HISTORY, timeout = "2s", patience = "0s",
    ends = "fails", status = 1, says = { { "broke off", "no answer" } }, within = 40 },
  { name = "200 with an error object", faults = "error_json=1,after=10,times=3" .. HISTORY,
    ends = "fails", status = 3, says = { "without a list of messages", AGAIN }, within = 20 },
  { name = "200 with an error object for the list", faults = "error_json=1" .. LIST,
    ends = "fails", status = 1, says = { "[conversations.no_list]", "check" }, within = 20 },
  { name = "200 with an error object at the login", faults = "error_json=1" .. LOGIN,
    ends = "fails", status = 1, says = { "[auth.no_token]", "check" }, within = 20 },
  { name = "HTML instead of JSON", faults = "html=1,after=10,times=3" .. HISTORY,
    ends = "fails", status = 3, says = { "no JSON", AGAIN }, within = 20 },
  { name = "HTML instead of the list", faults = "html=1" .. LIST,
    ends = "fails", status = 1, says = { "[conversations.not_json]", "check" }, within = 20 },
  { name = "a redirect to another host", faults = "redirect=1,after=10,times=3" .. HISTORY,
    ends = "fails", status = 3, says = { "redirects to elsewhere.invalid, which is not followed", AGAIN }, within = 20 },
  { name = "a redirect of the list", faults = "redirect=1" .. LIST,
    ends = "fails", status = 1, says = { "another place must not see the token", "is the address right?" }, within = 20 },
  { name = "a list whose cursor never advances", faults = "list_stale=1,after=1", messages = 40000,
    ends = "fails", status = 1, says = { "does not move on", "[conversations.stuck]" }, within = 20 },
  { name = "a list that breaks off with null", faults = "list_null=1,after=1", messages = 40000,
    ends = "fails", status = 1, says = { "without a list: try again", "[conversations.no_list]" }, within = 20 },

  -- time. The first two wait for the real deadline, 30 s below 1 kB/s
  { name = "one byte a second, once", slow = true, faults = "slow=1,after=10,times=1" .. HISTORY,
    ends = "complete", takes = 29, within = 55 },
  { name = "no answer and no close, once", slow = true, faults = "half_open=1,after=10,times=1" .. HISTORY,
    ends = "complete", takes = 29, within = 55 },
  { name = "one byte a second for ever", faults = "slow=1,after=10" .. HISTORY, timeout = "2s", patience = "0s",
    ends = "fails", status = 1, says = { "within 4.0 s", "try again later" }, within = 40 },
  { name = "no answer and no close for ever", faults = "half_open=1,after=10" .. HISTORY, timeout = "2s", patience = "5s",
    ends = "fails", status = 1, says = { "within 4.0 s", "try again later" }, within = 60 },

  -- pages
  { name = "a page that begins with the message before it", faults = "duplicate=1,after=30,times=2", args = "--parallel 1",
    ends = "fails", status = 3, says = { "again, which the page before ended with", AGAIN }, within = 20 },
  { name = "a page that comes again", faults = "repeat_page=1,after=30,times=2", args = "--parallel 1",
    ends = "fails", status = 3, says = { "again", AGAIN }, within = 20 },
  { name = "a page out of order", faults = "out_of_order=1,after=30,times=2", args = "--parallel 1",
    ends = "fails", status = 3, says = { "out of order", AGAIN }, within = 20 },
  { name = "a null page", faults = "null_page=1,after=30,times=2", args = "--parallel 1",
    ends = "fails", status = 3, says = { "without a list of messages", AGAIN }, within = 20 },
  { name = "null pages only", faults = "null_page=1", -- not one conversation gets anywhere
    ends = "fails", status = 3, says = { "without a list of messages", AGAIN }, within = 20 },
  { name = "a cursor that never advances", faults = "stale_cursor=1,after=10",
    ends = "fails", status = 3, says = { "does not advance", AGAIN }, within = 20 },
  { name = "a cursor that never advances, found within three pages", faults = "stale_cursor=1,after=2",
    args = "--parallel 1 --concurrency 1", one = true, pages = 2 + 3,
    ends = "fails", status = 3, says = { "does not advance", AGAIN }, within = 20 },
}

-- The cloud that is asked over its WebSocket: faults of navigation, of frames, of pages.
local QUERIES = ",only=rongcloud/qry"
local PAGES = ",after=10,times=2" .. QUERIES
for _, case in ipairs {
  { name = "too often, now and then", faults = "p429=0.2" .. QUERIES, ends = "complete", within = 90 },
  { name = "too often, for ever", faults = "p429=1,after=10" .. QUERIES, patience = "0s", ends = "fails", status = 1,
    says = { "too often" }, within = 100 },
  { name = "in trouble now and then", faults = "p5xx=0.1" .. QUERIES, ends = "complete", within = 90 },
  { name = "connections cut", faults = "cut=1,after=10,times=4" .. QUERIES, ends = "complete", within = 60 },
  { name = "navigation in trouble at first", faults = "p5xx=1,times=2,only=navi", ends = "complete", within = 60 },
  { name = "a web page instead of navigation", faults = "html=1,only=navi", patience = "0s", ends = "fails", status = 1,
    says = { "no navigator names a server", "navigators" }, within = 60 },
  { name = "half an answer", faults = "truncate=1" .. PAGES, args = "--parallel 1", ends = "fails", status = 3,
    says = { "cannot be read", AGAIN }, within = 30 },
  { name = "a page that comes again", faults = "repeat_page=1,after=25", args = "--parallel 1", ends = "fails", status = 3,
    says = { "was asked from", AGAIN }, within = 30 },
  { name = "a page out of order", faults = "out_of_order=1,after=25", args = "--parallel 1", ends = "fails", status = 3,
    says = { "out of order", AGAIN }, within = 30 },
  { name = "an empty page that is not the last", faults = "null_page=1,after=25", args = "--parallel 1",
    ends = "fails", status = 3, says = { "more follows", AGAIN }, within = 30 },
  { name = "a list that does not go on", faults = "list_null=1", hits = false, ends = "fails", status = 1,
    says = { "more conversations follow" }, within = 30 },
  { name = "an answer that never comes", slow = true, faults = "half_open=1,after=10,times=1" .. QUERIES, ends = "complete",
    takes = 25, within = 100 },
} do
  case.cloud = "rongcloud"
  case.name = "RongCloud: " .. case.name
  cases[#cases + 1] = case
end

for i, case in ipairs(cases) do case.id = ("case-%02d"):format(i) end
return cases
