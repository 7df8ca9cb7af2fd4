-- Proves that an archive is what was written. What `moontide verify` runs.
local moontide = require "moontide"

local STATUS = { complete = 0, gaps = 3, unfinished = 3, damaged = 4 }
local MEANING = {
  complete = "sound, and every conversation is complete as of its last export",
  gaps = "sound, but ranges or attachments are missing (listed above)",
  unfinished = "sound up to the last commit, but the last export did not end: run it again",
  damaged = "damaged (listed above)",
}

return moontide.script {
  name = "verify",
  summary = "Check an archive: every hash, every line, every count. Exit status 0 complete, 3 gaps, 4 damaged.",
  category = { "reads" },
  args = {
    dir = moontide.arg.string { required = true, positional = 1, doc = "the archive's folder" },
    structure = moontide.arg.flag { doc = "only files, sizes and chains; no content is read" },
    ["read-all"] = moontide.arg.flag { doc = "read every byte (the default)" },
    json = moontide.arg.flag { doc = "print the report as one JSON object" },
  },
  grant = { read = true },
  sample = "complete: 12 conversations, 20000 messages, 12 segments, 18.4 MB",
  run = function(job)
    local args = job.args
    local report = moontide.verify(args.dir, { mode = args.structure and "structure" or "read-all" })
    if args.json then
      print(moontide.json.encode(report))
    else
      for _, problem in ipairs(report.problems) do print(problem) end
      print(("%s: %d conversations, %d messages, %d segments (%d sealed), %.1f MB"):format(report.verdict,
        report.conversations, report.messages, report.segments, report.sealed, report.bytes / 1e6))
      if report.attachments + report.missing > 0 then
        print(("%d attachments, %.1f MB, %d missing"):format(report.attachments, report.attachment_bytes / 1e6,
          report.missing))
      end
      print(MEANING[report.verdict])
      print("head " .. report.head)
    end
    return STATUS[report.verdict]
  end,
}
