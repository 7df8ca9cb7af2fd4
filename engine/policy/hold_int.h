/* What the files of the holds share: hold.c reads the list, hold_find.c looks things up in it.
 * Private to the room. */
#ifndef MT_POLICY_HOLD_INT_H
#define MT_POLICY_HOLD_INT_H

#include "policy/hold.h"

struct mt_arena;

/* Where a hold is looked for: under its rarest condition. */
enum mt_hold_index {
    MT_HOLD_BY_CONVERSATION = 'c',
    MT_HOLD_BY_PREFIX = 'g', /* what stands before the first * of its conversation */
    MT_HOLD_BY_PERSON = 'p',
    MT_HOLD_BY_ACCOUNT = 'a',
    MT_HOLD_BY_NOTHING = 'n',
};

/* Ids are compared without regard to the case of ASCII letters: one cloud has no case, and at the
 * other a hold rather keeps too much than nothing because of a slip. */
struct mt_hold_entry {
    struct mt_hold hold;
    const char *account, *conversation, *person; /* in lower case; NULL: any */
    enum mt_hold_index index;
    uint32_t next; /* of the same key, in the order of the file; UINT32_MAX: none */
};

struct mt_hold_slot {
    uint64_t hash; /* of an index and its key; 0: free */
    uint32_t first;
};

struct mt_holds {
    struct mt_arena *arena;
    struct mt_hold_entry *list;
    size_t n, cap;
    struct mt_hold_slot *table;
    size_t table_cap;                      /* a power of two */
    bool prefixes[MT_CONVERSATION_ID_MAX]; /* lengths that there are */
};

/* The same as mt_holds_read of a file of that name, on memory, so that it can be fuzzed. */
enum mt_rc mt_holds_parse(const char *name, const char *text, size_t len, struct mt_holds **out,
                          struct mt_fault *fault) MT_CHECKED;
/* When the list is whole. */
enum mt_rc mt_holds_index(struct mt_holds *holds) MT_CHECKED;

#endif
