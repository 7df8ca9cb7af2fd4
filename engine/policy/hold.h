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
/* The lists that are in force together; paths are owned. What any of them holds is held. */
#define MT_HOLD_LISTS_MAX 8
struct mt_hold_lists {
    char *paths[MT_HOLD_LISTS_MAX];
    size_t n;
};
/* NULL, and one that is there already, add nothing. NOMEM, LIMIT. */
enum mt_rc mt_hold_lists_add(struct mt_hold_lists *lists, const char *path) MT_CHECKED;
void mt_hold_lists_clear(struct mt_hold_lists *lists);
/* All of them, as mt_holds_read; an id may be in several. One that cannot be read is the fault of
 * all. */
enum mt_rc mt_holds_read_all(const struct mt_hold_lists *lists, struct mt_holds **out,
                             struct mt_fault *fault) MT_CHECKED;
/* Which lists are in force for an account whatever anybody else names: what the configuration says
 * at that moment. Asked on the loop thread, before each batch. */
struct mt_provider_account;
struct mt_hold_source {
    /* *name: of the account in the configuration; lives until the next turn of the loop. */
    enum mt_rc (*lists)(void *ud, const struct mt_provider_account *account,
                        struct mt_hold_lists *to, const char **name, struct mt_fault *fault);
    void *ud;
};

void mt_holds_free(struct mt_holds *holds);
size_t mt_holds_n(const struct mt_holds *holds);

/* The first that holds the message; NULL: none. account: the configuration's name; user: its id at
 * the cloud. from may be NULL: a hold on a person then holds it, because nobody can say that it is
 * not theirs. time_ms 0 likewise with time ranges. */
const struct mt_hold *mt_holds_find(const struct mt_holds *holds, const char *account,
                                    const char *user, const char *conversation, const char *from,
                                    int64_t time_ms);
/* The first that could hold a message that nobody has looked at: of that account, in that
 * conversation (NULL: in any), from before before_ms (0: from whenever). NULL: none can. */
const struct mt_hold *mt_holds_reach(const struct mt_holds *holds, const char *account,
                                     const char *user, const char *conversation, int64_t before_ms);

#endif
