/* What a script may do (DESIGN §5). Whoever runs it grants; a described script narrows it to what
 * it declares. The verbs check it in C, by their API record's grant. */
#ifndef MT_SCRIPT_GRANT_H
#define MT_SCRIPT_GRANT_H

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
    MT_GRANT_FILES = 64, /* files by their path: what is sent, where downloads go. Not declared by
                            scripts: whoever runs one lets it or not */
};

#define MT_GRANT_HOSTS_MAX 16

struct mt_grant {
    unsigned what;         /* bits */
    int64_t delete_max;    /* messages a run; -1: any number */
    bool require_archived; /* delete only what a plan has archived and verified */
    size_t http_hosts_n;   /* 0: any host */
    char http_hosts[MT_GRANT_HOSTS_MAX][254];
};

/* What a person's plain script gets: read, mark_read, send, files. */
struct mt_grant mt_grant_default(void);
/* From a list such as "read,send,delete:1000,http:hooks.example.com": exactly that. INVALID
 * "grant.unknown" names the nearest. */
enum mt_rc mt_grant_parse(const char *list, struct mt_grant *out,
                          struct mt_fault *fault) MT_CHECKED;

#endif
