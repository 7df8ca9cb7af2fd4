-- How each function of the API that needs a grant is called, and why the others need none. generate.lua puts this in
-- front of permissions.lua: a record of lua/api/moontide.lua that stands in neither list turns the suite red.
--
-- fault: what the call ends in at a cloud that cannot do it. needs: other grants that it takes.
local function first(iterator) return iterator() end

return {
  calls = {
    ["account:conversations"] = { function(t) return first(t.account:conversations()) end },
    ["conversation:fetch"] = { function(t) return t.chat:fetch() end },
    ["account:doctor"] = { function(t) return #t.account:doctor() > 3 end },
    ["conversation:history"] = { function(t) return first(t.chat:history { limit = 1 }) end },
    ["conversation:select"] = { function(t) return first(t.chat:select(t.moontide.policy.newest(1))) end },
    ["account:select"] = {
      function(t) return first(t.account:select(t.moontide.policy.all)) end,
      denied = { function(t) t.account:select(t.moontide.policy.all, { conversations = { t.chat.id } })() end },
    },
    ["conversation:history_page"] = { function(t) return #t.chat:history_page { limit = 1 }.messages == 1 end },
    ["conversation:export"] = { function(t) return t.chat:export(t.archive).added end },
    ["archive:fetch_media"] = { function(t) return t.archive:fetch_media { account = t.account } end },
    ["conversation:send"] = { function(t) return t.chat:send "x".id end },
    ["conversation:send_image"] = { function(t) return t.chat:send_image { path = "small.png" }.id end, needs = "files" },
    ["conversation:send_voice"] = {
      function(t) return t.chat:send_voice { path = "small.png", duration = "1s" }.id end, needs = "files",
    },
    ["conversation:send_video"] = {
      function(t) return t.chat:send_video { path = "small.png", thumbnail = "small.png", duration = "1s" }.id end,
      needs = "files",
    },
    ["conversation:send_file"] = { function(t) return t.chat:send_file "small.png".id end, needs = "files" },
    ["conversation:send_location"] = {
      function(t) return t.chat:send_location { latitude = 1.5, longitude = 2.5, address = "here" }.id end,
    },
    ["conversation:send_command"] = { function(t) return t.chat:send_command "go".id end },
    ["conversation:send_custom"] = { function(t) return t.chat:send_custom { event = "gift" }.id end },
    ["conversation:send_combine"] = {
      function(t) return t.chat:send_combine { messages = { t.own }, title = "T", text = "old" }.id end,
    },
    ["conversation:upload"] = { function(t) return t.chat:upload "small.png".size_bytes == 70 end, needs = "files" },
    ["moontide.new_file"] = { function(t) return t.moontide.new_file("new", { replace = true }):write "x":close() end },
    ["message:download"] = { function(t) return t.image:download(t.name "got").size == 70 end, needs = "files" },
    ["conversation:mark_read"] = { function(t) t.chat:mark_read() return true end },
    ["message:mark_read"] = { function(t) t.theirs:mark_read() return true end },
    ["message:edit"] = { function(t) t.own:edit "better" return true end },
    ["message:reply"] = { function(t) return t.theirs:reply "yes".id end },
    ["message:recall"] = { function(t) t.own:recall() return true end, last = true },
    ["conversation:join"] = { function(t) t.room:join() return true end },
    ["conversation:leave"] = { function(t) t.room:leave() return true end, last = true },
    ["conversation:ask"] = {
      function(t) t.chat:ask("who", { timeout = "5ms" }) end, needs = "read",
      fault = { easemob = "ask.timeout", rongcloud = "ask.timeout" },
    },
    ["conversation:delete_messages"] = {
      function(t) return t.chat:delete_messages { ids = { t.image } }.ids == 1 end,
      denied = {
        function(t) t.chat:delete_messages { before = 1 } end, function(t) t.chat:delete_messages { ids = { "1" } } end,
      },
    },
    ["conversation:delete"] = {
      function(t) t.chat:delete() return true end, denied = { function(t) t.chat:delete { history = true } end }, last = true,
    },
    ["account:delete_everything"] = { function(t) t.guest:delete_everything() return true end, last = true },
    ["conversation:pin"] = { function(t) t.chat:pin() return true end },
    ["conversation:mark"] = { function(t) t.chat:mark(3) return true end, fault = { rongcloud = "unsupported" } },
    ["conversation:set_notification"] = {
      function(t) t.chat:set_notification "none" return true end, fault = { easemob = "unsupported" },
    },
    ["message:readers_page"] = { function(t) return t.asked:readers_page {}.readers end },
    ["account:plan"] = {
      function(t) return t.account:plan(t.moontide.policy.all, { conversations = { "single:guest" } }).hash end,
    },
    ["account:open_plan"] = { function(t) return t.account:open_plan(t.plan.hash).hash == t.plan.hash end },
    ["plan:check"] = { function(t) return t.plan:check { archive = t.archive }.planned > 0 end },
    ["plan:apply"] = { function(t) return t.plan:apply { archive = t.archive }.planned > 0 end },
    ["account:on"] = {
      function(t)
        local online = false
        t.account:on("connected", function() online = true end)
        while not online do t.sleep "1ms" end
        t.account:off()
        return true
      end,
    },
    ["moontide.http.request"] = {
      function(t) return t.moontide.http.request { url = t.stats, method = "GET" }.status == 200 end,
    },
    ["moontide.http.get"] = { function(t) return t.moontide.http.get(t.stats).status == 200 end },
    ["moontide.http.post"] = { function(t) return t.moontide.http.post(t.stats, {}).status end },
    ["moontide.archive"] = {
      function(t) t.moontide.archive(t.name "new", { account = t.account }):close() return true end,
    },
    ["moontide.policy.load"] = { -- which is no policy, but was read
      function(t) return t.moontide.policy.load "small.png" end,
      fault = { easemob = "policy.syntax", rongcloud = "policy.syntax" },
    },
    ["moontide.read_archive"] = { function(t) return t.moontide.read_archive(t.name "new").provider end },
    ["moontide.audit"] = { function(t) return t.moontide.audit {}().seq == 1 end },
    ["moontide.audit_verify"] = { function(t) return t.moontide.audit_verify().verdict == "sound" end },
    ["moontide.audit_prune"] = {
      function(t) return t.moontide.audit_prune { before = 1 } end,
      fault = { easemob = "audit.by_hand", rongcloud = "audit.by_hand" },
    },
    ["moontide.audit_compact"] = {
      function(t) return t.moontide.audit_compact() end,
      fault = { easemob = "audit.by_hand", rongcloud = "audit.by_hand" },
    },
    ["moontide.verify"] = { function(t) return t.moontide.verify(t.name "new").verdict end },
  },

  -- Nothing leaves this process through them, and they tell nothing but what is the script's own or is public.
  harmless = {
    ["moontide.account"] = "opens no connection; only accounts that the job or -a names",
    ["moontide.accounts"] = "the names of those",
    ["account:conversation"] = "an address",
    ["account:can"] = "what the cloud offers",
    ["account:capabilities"] = "the same",
    ["file:write"] = "a file that was begun with the grant",
    ["file:close"] = "a file that was begun with the grant",
    ["account:holds"] = "which lists of holds the operator has put in force",
    ["account:clock"] = "how far the clock of the cloud is from this one, as was heard",
    ["conversation:draft"] = "the script's own store",
    ["conversation:set_draft"] = "the script's own store",
    ["conversation:json"] = "of a conversation that the script has",
    ["message:json"] = "of a message that the script has",
    ["message:readers"] = "asks with message:readers_page, which needs read",
    ["archive:close"] = "of an archive that the script has opened",
    ["archive:state"] = "of an archive that the script has opened",
    ["archived:conversations"] = "of an archive that the script was let open",
    ["archived:lines"] = "of an archive that the script was let open",
    ["archive:convert"] = "writes beside the archive that the script has opened",
    ["moontide.policy.older_than"] = "a condition: computes",
    ["moontide.policy.before"] = "a condition: computes",
    ["moontide.policy.since"] = "a condition: computes",
    ["moontide.policy.from"] = "a condition: computes",
    ["moontide.policy.kind"] = "a condition: computes",
    ["moontide.policy.in_conversation"] = "a condition: computes",
    ["moontide.policy.larger_than"] = "a condition: computes",
    ["moontide.policy.matches"] = "a condition: computes",
    ["moontide.policy.newest"] = "a condition: computes",
    ["moontide.policy.pinned"] = "a condition: computes",
    ["moontide.policy.all"] = "a condition: computes",
    ["moontide.policy.parse"] = "computes, in a state of its own",
    ["moontide.spawn"] = "a task of the script",
    ["task:join"] = "a task of the script",
    ["account:off"] = "the script itself hears no more",
    ["moontide.store"] = "the script's own, 16 MiB at most",
    ["moontide.store:flush"] = "the script's own",
    ["moontide.every"] = "time",
    ["moontide.cron"] = "time",
    ["moontide.sleep"] = "time",
    ["moontide.now"] = "time",
    ["moontide.ago"] = "time",
    ["moontide.duration"] = "time",
    ["moontide.time"] = "time",
    ["moontide.log"] = "a line of the log, under the script's name",
    ["moontide.progress"] = "a line on the terminal",
    ["moontide.json.encode"] = "computes",
    ["moontide.json.decode"] = "computes",
    ["moontide.json.array"] = "computes",
    ["moontide.try"] = "computes",
    ["moontide.script"] = "computes",
    ["moontide.arg"] = "computes",
  },
}
