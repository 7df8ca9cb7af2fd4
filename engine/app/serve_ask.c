/* What operators ask the jobs of this process for (moontide jobs). */
#include "app/serve_int.h"

#include "app/accounts_int.h"
#include "jobs/ask.h"
#include "jobs/ledger.h"

#include <stdio.h>
#include <string.h>

static bool answer(void *ud, const char *name, const char *word, const char *path)
{
    const struct mt_serve *serve = ud;
    int ask = mt_ledger_ask_of(word);
    struct mt_job *job = serve->jobs;

    while (job && strcmp(job->name, name) != 0)
        job = job->next;
    if (ask < 0 || !job || !mt_due_ledger(job))
        return false; /* perhaps another process has it */
    mt_due_obey(job, ask, path);
    return true;
}

void mt_serve_asked(struct mt_serve *serve)
{
    char dir[4096];

    if (!serve->dues || serve->stopping)
        return;
    mt_due_dir(serve->accounts, dir, sizeof dir - 8);
    snprintf(dir + strlen(dir), 8, "/asks");
    mt_ask_each(dir, answer, serve);
}
