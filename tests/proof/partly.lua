-- A retention of somebody's own: it brings only a part of what a plan means into the archive, and then applies it. What
-- was left out is a gap there, and in a gap nothing may be deleted.
local moontide = require "moontide"

return moontide.script {
  name = "partly",
  summary = "Archive a part of what a plan means, and delete of the plan what may be deleted.",
  category = { "deletes" },
  args = {
    account = moontide.arg.string { required = true, doc = "the account" },
    plan = moontide.arg.string { required = true, doc = "the hash of the plan" },
    archive = moontide.arg.string { required = true, doc = "the archive's folder" },
    hold = moontide.arg.string { doc = "the list of legal holds" },
    since = moontide.arg.time { doc = "archive from this time on only" },
    kind = moontide.arg.list { doc = "archive this kind only" },
  },
  grant = { read = true, delete = { require = "archived" } },
  sample = '{"deleted":12}',
  run = function(job)
    local args = job.args
    local account = moontide.account(args.account)
    local plan = account:open_plan(args.plan)
    local archive = moontide.archive(args.archive, { account = account })
    local ok, result = moontide.try(function()
      for _, item in ipairs(plan.conversations) do
        if item.planned > 0 then
          account:conversation(item.id):export(archive, { since = args.since, kinds = args.kind })
        end
      end
      return plan:apply { archive = archive, holds = args.hold }
    end)
    archive:close { clean = ok }
    if not ok then error(result, 0) end
    print(moontide.json.encode { deleted = result.deleted, left = result.left, left_over = result.refused })
    if result.fault then error(result.fault, 0) end
    return result.left > 0 and 3 or 0
  end,
}
