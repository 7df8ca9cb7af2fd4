/* Legal holds: what must not be deleted, whatever a policy says. A file that people write, read
 * anew before each batch. What cannot be read holds everything: nothing is deleted then. */
#ifndef MT_POLICY_HOLD_H
#define MT_POLICY_HOLD_H

#include "model/message.h"

struct mt_holds;

/* One of them, as it stands in the file; an absent part is NULL or 0 and holds for any. */
struct mt_hold {
    const char *id;           /* "case-7": stands in plans and in the audit */
    const char *reason;       /* NULL: none given */
    const char *account;      /* the configuration's name, or the user's id at the cloud */
    const char *conversation; /* an address; * stands for any run of characters */
    const char
        *person; /* sender, or the peer of a single conversation, or the account's own user */
    int64_t since_ms, until_ms; /* of the message's time; since inclusive, until exclusive */
};

#define MT_HOLD_FILE_MAX ((size_t)16 << 20)
#define MT_HOLDS_MAX     100000

/* path NULL: there is no list, and nothing is held. A file that is not there is a fault, NOT_FOUND
 * "hold.missing": a list that was moved away must not free what it held. INVALID "hold.syntax"
 * (names the line), LIMIT "hold.size". The form: one JSON object a line,
 * {"id":"case-7","account":"support","conversation":"single:*","person":"bob",
 *  "since":"2026-01-01","until":"2026-02-01T00:00:00Z","reason":"…"}; empty lines and lines that
 * begin with # are passed over. Unknown keys, and a line without any condition, are faults: a
 * misspelt hold must not hold nothing. {"id":"all","everything":true} holds everything. */
enum mt_rc mt_holds_read(const char *path, struct mt_holds **out,
                         struct mt_fault *fault) MT_CHECKED;
void mt_holds_free(struct mt_holds *holds);
size_t mt_holds_n(const struct mt_holds *holds);

/* The first that holds the message; NULL: none. account: the configuration's name; user: its id at
 * the cloud. from may be NULL: a hold on a person then holds it, because nobody can say that it is
 * not theirs. time_ms 0 likewise with time ranges. */
const struct mt_hold *mt_holds_find(const struct mt_holds *holds, const char *account,
                                    const char *user, const char *conversation, const char *from,
                                    int64_t time_ms);

#endif
