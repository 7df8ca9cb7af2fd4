-- What jobs at their times are safe by, taken out one at a time (tests/proof/mutants.lua): the tests must turn red.
local DUE, DUTY = "engine/app/serve_due.c", "engine/jobs/duty.c"

--- The runner judges what a suite prints; here that it is whole and good.
local function judged(command)
  return ("%s | tee mutant.tap; grep -q '^1\\.\\.' mutant.tap && ! grep -q '^not ok' mutant.tap"):format(command)
end
local JOBS, FLEET = judged "MT_JOBS_S=2 sh tests/jobs/run.sh", judged "MT_FLEET_TICKS=200 sh tests/fleet/run.sh"
local UNIT = "build/bin/test-jobs"

-- name, file, the text that is there, what takes its place, what is built, what must turn red
return {
  { "what deletes begins before it is looked at", DUE,
    'return strcmp(due->ledger.paused, "changed") != 0;', "return true;", "moontide", JOBS },
  { "what is asked for is not looked at", DUE,
    "if (!approved(due) && !changed)", "if (changed && !approved(due))", "moontide", JOBS },
  { "an approval compares names only", "engine/jobs/approval.c",
    "strcmp(a->parts[i].is, b->parts[i].is) != 0)",
    "strcmp(a->parts[i].is, b->parts[i].is) > 1000)", "test-jobs", UNIT },
  { "nothing locks a job", "engine/store/file.c",
    "PRAGMA locking_mode=EXCLUSIVE; ", "PRAGMA busy_timeout=5000; ", "moontide", FLEET },
  { "a script begins before its run is kept", DUE,
    "attempt, mt_clock_wall_ms());\n    due->beginning = keep(due, begin_now, due);",
    "attempt, mt_clock_wall_ms());\n    mt_job_start(due->job);\n    (void)keep(due, kept, due);", "moontide", JOBS },
  { "what was cut off is not made up for", DUTY,
    "    if (what == MT_LOST_AGAIN)\n        mt_duty_put_back(ledger);", "", "moontide", FLEET },
  { "what is cut off does not rest", DUTY,
    "int64_t rest_ms = REST_FIRST_MS <<", "int64_t rest_ms = 0 * REST_FIRST_MS <<", "moontide", JOBS },
  { "what is cut off is never given up", DUTY,
    "attempt >= MT_LEDGER_ATTEMPTS ?", "attempt >= 1000 * MT_LEDGER_ATTEMPTS ?", "moontide", JOBS },
  { "an overlap is never queued", DUE,
    "if (mt_schedule_queues(due->job->def->schedule))",
    "if (mt_schedule_queues(due->job->def->schedule) && due_ms < 0)", "moontide", JOBS },
  { "an overlap is none", DUE,
    "        if (busy)\n            overlap(", "        if (busy && now_ms < 0)\n            overlap(",
    "moontide", JOBS },
  { "once is taken as all", "engine/jobs/schedule.c", "policy == 0 ? ONCE", "policy == 0 ? ALL", "test-jobs", UNIT },
}
