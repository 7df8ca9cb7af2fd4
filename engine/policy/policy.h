/* Which messages a retention means: conditions that are joined with and, or, and not. A value that
 * never changes; it decides, and talks to nobody. */
#ifndef MT_POLICY_POLICY_H
#define MT_POLICY_POLICY_H

#include "model/message.h"

struct mt_policy;

#define MT_POLICY_DEPTH_MAX 64   /* how deeply conditions are nested */
#define MT_POLICY_NODES_MAX 4096 /* conditions and joins of one policy */
#define MT_POLICY_RANKS_MAX 8    /* different newest(n) in one policy */
#define MT_POLICY_RANK_MAX  1000000

/* What is decided about. */
struct mt_policy_facts {
    const struct mt_message *message;
    bool pinned;      /* its conversation is pinned */
    uint64_t newer_n; /* messages of its conversation that are newer; read by newest(n) only */
    int64_t now_ms;   /* what older_than counts from: one moment for a whole run */
};

/* Conditions. NULL when memory is short; what is wrong with an argument is a fault INVALID
 * "policy.<condition>" with *out NULL. */
enum mt_rc mt_policy_older_than(int64_t age_ms, struct mt_policy **out, struct mt_fault *fault);
enum mt_rc mt_policy_before(int64_t time_ms, struct mt_policy **out, struct mt_fault *fault);
enum mt_rc mt_policy_since(int64_t time_ms, struct mt_policy **out, struct mt_fault *fault);
enum mt_rc mt_policy_from(const char *user, struct mt_policy **out, struct mt_fault *fault);
enum mt_rc mt_policy_kind(const char *kind, struct mt_policy **out, struct mt_fault *fault);
/* "single:bob" (or "bob"), or with * for any run of characters: "group:*". */
enum mt_rc mt_policy_in_conversation(const char *pattern, struct mt_policy **out,
                                     struct mt_fault *fault);
/* The attachment's size as the message states it; a message without one is never larger. */
enum mt_rc mt_policy_larger_than(int64_t bytes, struct mt_policy **out, struct mt_fault *fault);
/* The text as a whole, with * for any run of characters and ? for one. */
enum mt_rc mt_policy_matches(const char *pattern, struct mt_policy **out, struct mt_fault *fault);
enum mt_rc mt_policy_pinned(struct mt_policy **out, struct mt_fault *fault);
enum mt_rc mt_policy_all(struct mt_policy **out, struct mt_fault *fault);
/* The n newest messages of each conversation. LIMIT "policy.newest" beyond MT_POLICY_RANK_MAX. */
enum mt_rc mt_policy_newest(uint64_t n, struct mt_policy **out, struct mt_fault *fault);

enum mt_policy_join { MT_POLICY_OR, MT_POLICY_AND, MT_POLICY_AND_NOT };
/* Both stay the caller's too. LIMIT "policy.size". */
enum mt_rc mt_policy_join(enum mt_policy_join how, const struct mt_policy *a,
                          const struct mt_policy *b, struct mt_policy **out,
                          struct mt_fault *fault);

struct mt_policy *mt_policy_retain(const struct mt_policy *policy);
void mt_policy_release(struct mt_policy *policy); /* NULL is fine */

/* Whether it means the message. What a message does not tell (its time, its sender) counts for no
 * condition and against none: such a message is meant only if that does not matter. What is no
 * message (an edit, a receipt) is never meant. */
bool mt_policy_holds(const struct mt_policy *policy, const struct mt_policy_facts *facts);
/* The different n of its newest(n), ascending; how many. Between two of them newer_n has no say. */
size_t mt_policy_ranks(const struct mt_policy *policy, uint64_t out[MT_POLICY_RANKS_MAX]);
bool mt_policy_needs_pinned(const struct mt_policy *policy);

/* What every message that it can mean has in common, for the cloud to be asked: times (0: no
 * bound; since inclusive, until exclusive), one sender, kinds (n 0: any). Never narrower than the
 * policy. Strings live as long as the policy. */
struct mt_policy_bounds {
    int64_t since_ms, until_ms;
    const char *from;
    const char *kinds[16];
    size_t kinds_n;
    bool nothing; /* it can mean no message at all */
};
void mt_policy_bounds(const struct mt_policy *policy, int64_t now_ms, struct mt_policy_bounds *out);
/* The same of those messages only that have as many newer ones as its largest newest(n) asks for:
 * nothing, when it means none but the newest. */
void mt_policy_bounds_beyond(const struct mt_policy *policy, int64_t now_ms,
                             struct mt_policy_bounds *out);
/* Whether it can mean a message of this conversation. */
bool mt_policy_may_concern(const struct mt_policy *policy, const struct mt_conversation_ref *ref);

/* Its canonical text, which is Lua that gives the same policy:
 * (older_than("90d") * kind("image")) - newest(100). The same conditions joined in the same order
 * give the same text. */
enum mt_rc mt_policy_write(const struct mt_policy *policy, struct mt_buf *out) MT_CHECKED;
/* "5MB" (10^6 bytes), "5MiB" (2^20), "300": as larger_than takes it. INVALID "policy.larger_than".
 */
enum mt_rc mt_policy_size_parse(const char *text, int64_t *bytes,
                                struct mt_fault *fault) MT_CHECKED;

#endif
