/* A policy as its files see it: policy_condition.c makes conditions, policy.c joins and decides,
 * policy_bounds.c says what all of it has in common, policy_text.c reads and writes its words.
 * Private. */
#ifndef MT_POLICY_POLICY_INT_H
#define MT_POLICY_POLICY_INT_H

#include "policy/policy.h"

#include <stdatomic.h>

enum mt_policy_type {
    MT_POLICY_TYPE_OLDER_THAN, /* n: ms */
    MT_POLICY_TYPE_BEFORE,     /* n: ms since the epoch */
    MT_POLICY_TYPE_SINCE,
    MT_POLICY_TYPE_FROM, /* text */
    MT_POLICY_TYPE_KIND,
    MT_POLICY_TYPE_IN_CONVERSATION, /* text: a pattern, always with the kind */
    MT_POLICY_TYPE_LARGER_THAN,     /* n: bytes */
    MT_POLICY_TYPE_MATCHES,
    MT_POLICY_TYPE_NEWEST, /* n */
    MT_POLICY_TYPE_PINNED,
    MT_POLICY_TYPE_ALL,
    MT_POLICY_TYPE_OR, /* joins, of a and b */
    MT_POLICY_TYPE_AND,
    MT_POLICY_TYPE_AND_NOT,
};

struct mt_policy {
    _Atomic unsigned refs;
    enum mt_policy_type type;
    /* A list a + b + c … is no deeper however long: whoever walks a policy goes down a while the
     * sort of the join stays the same, and calls itself for the rest. */
    unsigned depth;
    size_t nodes_n; /* with those of its parts, each as often as it stands there */
    bool pinned;    /* needs to know of it */
    uint64_t ranks[MT_POLICY_RANKS_MAX];
    size_t ranks_n;
    int64_t n;
    char *text;
    struct mt_policy *a, *b;
};

enum mt_rc mt_policy_new(enum mt_policy_type type, int64_t n, const char *text,
                         struct mt_policy **out, struct mt_fault *fault) MT_CHECKED;

/* What is known of a fact may be nothing; then neither it nor its opposite is said of a message. */
enum mt_policy_truth { MT_POLICY_NO, MT_POLICY_UNKNOWN, MT_POLICY_YES };

static inline enum mt_policy_truth mt_policy_truth_of(bool b)
{
    return b ? MT_POLICY_YES : MT_POLICY_NO;
}

/* Of a whole policy, from what each of its conditions says. */
typedef enum mt_policy_truth mt_policy_say_fn(void *ud, const struct mt_policy *condition);
enum mt_policy_truth mt_policy_judge(const struct mt_policy *policy, mt_policy_say_fn *say,
                                     void *ud);

#endif
