/* A plan: which messages a run may delete, written down before anything is. A file of lines, made
 * front to back and read front to back, so that its size costs no memory. */
#ifndef MT_POLICY_PLAN_H
#define MT_POLICY_PLAN_H

#include "base/buf.h"
#include "model/message.h"

#define MT_PLAN_HASH_MAX   65 /* 64 hexadecimal digits and NUL */
#define MT_PLAN_DIGEST_LEN 32 /* bytes: of the message's content, mt_message_digest */
#define MT_PLAN_AGE_MAX_MS ((int64_t)24 * 3600 * 1000)

/* Whose messages, and by which policy. */
struct mt_plan_head {
    const char *account; /* the configuration's name */
    const char *provider;
    const char *appkey;
    const char *user;
    const char *policy; /* its canonical text */
    const char *holds;  /* path of the list, or NULL */
    int64_t made_ms;
};

struct mt_plan_item {
    struct mt_message_key key;
    uint8_t digest[MT_PLAN_DIGEST_LEN];
};

/* Of one conversation, or of the whole plan. */
struct mt_plan_count {
    uint64_t seen_n;              /* messages that the cloud showed */
    uint64_t planned_n;           /* to be deleted */
    uint64_t held_n;              /* the policy means them, and a hold keeps them */
    int64_t oldest_ms, newest_ms; /* of the planned ones; 0: none */
};

/* ---------------------------------------------------------------- making */

struct mt_plan_writer;

/* A new file in dir (made when needed) without a name of its own until it is finished. Work-pool
 * code, one thread at a time. */
enum mt_rc mt_plan_create(const char *dir, const struct mt_plan_head *head,
                          struct mt_plan_writer **out, struct mt_fault *fault) MT_CHECKED;
/* The items of one conversation in the cloud's order, oldest first; each conversation once (STATE
 * "plan.conversation" otherwise). count.planned_n must be what was added. held: hold ids and how
 * many messages each keeps, as JSON text {"case-7":3}, or NULL. */
enum mt_rc mt_plan_conversation(struct mt_plan_writer *writer, const char *conversation,
                                const struct mt_plan_item *items, size_t n,
                                struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_plan_conversation_end(struct mt_plan_writer *writer, const char *conversation,
                                    const struct mt_plan_count *count, const char *held,
                                    struct mt_fault *fault) MT_CHECKED;
/* Writes the end, fsyncs, gives the file its name: DIR/<hash>.jsonl; an older plan of the same hash
 * is replaced. Frees the writer, also when it fails; path and hash are written. The hash is the
 * same for the same account, policy and set of messages, in whatever order they were found. */
enum mt_rc mt_plan_finish(struct mt_plan_writer *writer, char *path, size_t path_cap,
                          char hash[MT_PLAN_HASH_MAX], struct mt_fault *fault) MT_CHECKED;
/* Removes what was written. */
void mt_plan_abandon(struct mt_plan_writer *writer);

/* ---------------------------------------------------------------- reading */

struct mt_plan;

/* Opens a finished plan and reads all of it once: every line, the counts and both hashes must be
 * right. Faults: NOT_FOUND "plan.none", DAMAGED "plan.damaged", STATE "plan.stale" (older than
 * MT_PLAN_AGE_MAX_MS at now_ms, or from the future). */
enum mt_rc mt_plan_open(const char *path, int64_t now_ms, struct mt_plan **out,
                        struct mt_fault *fault) MT_CHECKED;
void mt_plan_free(struct mt_plan *plan);
const struct mt_plan_head *mt_plan_head(const struct mt_plan *plan);
const char *mt_plan_hash(const struct mt_plan *plan);
const struct mt_plan_count *mt_plan_total(const struct mt_plan *plan);
/* Each conversation of the plan with its count; held as it was written. */
typedef enum mt_rc mt_plan_each_fn(void *ud, const char *conversation,
                                   const struct mt_plan_count *count, const char *held);
enum mt_rc mt_plan_each(struct mt_plan *plan, mt_plan_each_fn *each, void *ud,
                        struct mt_fault *fault) MT_CHECKED;

/* The next items of the plan: at most max, all of one conversation, in order. *n 0: the end. They
 * live until the next call. mt_plan_rewind begins again. */
enum mt_rc mt_plan_next(struct mt_plan *plan, size_t max, const char **conversation,
                        const struct mt_plan_item **items, size_t *n,
                        struct mt_fault *fault) MT_CHECKED;
void mt_plan_rewind(struct mt_plan *plan);

#endif
