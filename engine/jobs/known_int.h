/* What the archive already holds of one conversation since a point in time: enough to tell a
 * message that is new from one that is known, changed or gone, at 32 bytes a message. Private to
 * the room. */
#ifndef MT_JOBS_KNOWN_INT_H
#define MT_JOBS_KNOWN_INT_H

#include "provider/provider.h"

struct mt_archive;
struct mt_known;

enum mt_known_verdict {
    MT_KNOWN_NEW,
    MT_KNOWN_SAME,
    MT_KNOWN_CHANGED, /* the content differs from the archive's latest version of it */
};

/* An open gap, as a line of the archive says. */
struct mt_known_gap {
    int64_t since_ms;
    int64_t until_ms; /* 0: open end */
};

struct mt_known *mt_known_new(const struct mt_provider *provider,
                              const struct mt_provider_account *account);
void mt_known_free(struct mt_known *known);
/* Work pool. Reads the gaps, wherever in the conversation their lines are: a gap is not over
 * because its segment is old. */
enum mt_rc mt_known_load_gaps(struct mt_known *known, struct mt_archive *archive,
                              const char *conversation, struct mt_fault *fault) MT_CHECKED;
/* Work pool. Reads every line of the conversation that may lie at or after since_ms. */
enum mt_rc mt_known_load(struct mt_known *known, struct mt_archive *archive,
                         const char *conversation, int64_t since_ms,
                         struct mt_fault *fault) MT_CHECKED;
/* Compares, and remembers that the message was seen (NEW and CHANGED ones with their new content).
 */
enum mt_rc mt_known_see(struct mt_known *known, const struct mt_message *m,
                        enum mt_known_verdict *verdict) MT_CHECKED;
/* Calls gone(ud, id) for every message at or after since_ms that was not seen and is not yet marked
 * as recalled. */
enum mt_rc mt_known_gone(struct mt_known *known, int64_t since_ms,
                         enum mt_rc (*gone)(void *ud, const char *id), void *ud) MT_CHECKED;
/* The gaps that no later line closed. */
const struct mt_known_gap *mt_known_gaps(const struct mt_known *known, size_t *n);

#endif
