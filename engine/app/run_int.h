/* Runs one script to its end: loop, accounts, signals, progress, exit status. Private to the room.
 */
#ifndef MT_APP_RUN_INT_H
#define MT_APP_RUN_INT_H

#include <stdbool.h>
#include <stddef.h>

struct mt_grant;

struct mt_run_options {
    const char *name;    /* "export" */
    const char *command; /* "moontide export" */
    const char *text;
    size_t text_len;
    const char *const *args;      /* NULL-terminated */
    const char *config;           /* -c, or NULL */
    const char *const *accounts;  /* -a, NULL-terminated, or NULL */
    const struct mt_grant *grant; /* --grant, or NULL */
    bool apply;
    bool isolated; /* --isolated */
    bool passing;  /* a command that is soon over (mt_accounts_passing) */
};

/* The jobs of the configuration until stopped; check_only: they are looked at, and that is all.
 * listen: HOST:PORT where the status is told; NULL: as the configuration says. */
int mt_app_serve(const char *config, const char *listen, bool check_only);
/* moontide jobs [WORD JOB]. */
int mt_app_jobs(const char *config, const char *word, const char *name, bool json);
int mt_app_run(const struct mt_run_options *options);

#endif
