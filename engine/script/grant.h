/* What a script may do (DESIGN §5). Whoever runs it grants; a described script narrows it to what
 * it declares. The verbs check it in C, by their API record's grant. */
#ifndef MT_SCRIPT_GRANT_H
#define MT_SCRIPT_GRANT_H

#include "base/buf.h"
#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

enum mt_grant_bit {
    MT_GRANT_READ = 1,      /* conversations, history, events, who has read */
    MT_GRANT_MARK_READ = 2, /* unread resets and read receipts: peers see them */
    MT_GRANT_SEND = 4,      /* messages, edits, recalls */
    MT_GRANT_ORGANISE = 8,  /* pins and marks of conversations */
    MT_GRANT_DELETE = 16,   /* from the account's own view of the server */
    MT_GRANT_HTTP = 32,     /* requests to other servers */
    MT_GRANT_AUDIT = 128,   /* what was deleted and sent, of all accounts */
    MT_GRANT_FILES = 64, /* files by their path: what is sent, where downloads and archives go. Not
                            declared by scripts: whoever runs one lets it or not */
};

#define MT_GRANT_HOSTS_MAX   16
#define MT_GRANT_TO_MAX      16
#define MT_GRANT_RATES_MAX   8
#define MT_GRANT_RATE_MAX    100000 /* the largest number of a rate */
#define MT_GRANT_FOLDERS_MAX 8

/* At most n in any stretch of time so long. */
struct mt_grant_rate {
    int64_t n;
    int64_t per_ms;
};

struct mt_grant {
    unsigned what;         /* bits */
    int64_t delete_max;    /* messages a run; -1: any number */
    bool require_archived; /* delete only what a plan has archived and verified */
    size_t http_hosts_n;   /* 0: any host with a public address */
    char http_hosts[MT_GRANT_HOSTS_MAX][254];
    size_t send_to_n;                   /* 0: to anybody */
    char send_to[MT_GRANT_TO_MAX][128]; /* addresses, * for any run of characters */
    size_t send_rates_n;                /* all of them hold */
    struct mt_grant_rate send_rates[MT_GRANT_RATES_MAX];
    size_t folders_n; /* 0: any file that is not moontide's own */
    char folders[MT_GRANT_FOLDERS_MAX][256];
};

/* What a person's plain script gets: read, mark_read, send, files. */
struct mt_grant mt_grant_default(void);
/* From a list such as "read,send:200/h,send:to=group:*,delete:1000,http:hooks.example.com,
 * files:out/": exactly that. INVALID "grant.unknown" names the nearest, "grant.limit",
 * "grant.host". */
enum mt_rc mt_grant_parse(const char *list, struct mt_grant *out,
                          struct mt_fault *fault) MT_CHECKED;
/* One text for each grant, whichever way it was said: as mt_grant_parse takes it. */
enum mt_rc mt_grant_write(const struct mt_grant *grant, struct mt_buf *out) MT_CHECKED;
/* What whoever grants it should know: the i-th remark, NULL behind the last. */
const char *mt_grant_remark(const struct mt_grant *grant, size_t i);

/* What of a grant is used up. Kept by whoever starts a script again and again, so that a script
 * that ends and comes back has no more than one that stays. */
struct mt_grant_use;
struct mt_grant_use *mt_grant_use_new(void); /* NULL when memory is short */
void mt_grant_use_free(struct mt_grant_use *use);
/* A new run: it may delete again what a run may. */
void mt_grant_use_run(struct mt_grant_use *use);

#endif
