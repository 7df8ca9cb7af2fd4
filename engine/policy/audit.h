/* The audit: who deleted or sent what, when and why. An append-only log, each line with the hash of
 * the line before it, its head signed and kept in a second place as well, so that neither a change
 * nor a cut tail passes. Work-pool or tool code: it syncs. Several processes may append: the file
 * is locked for each append. */
#ifndef MT_POLICY_AUDIT_H
#define MT_POLICY_AUDIT_H

#include "base/buf.h"
#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_audit;

struct mt_audit_options {
    const char *dir;    /* of the log; made when needed, 0700 */
    const char *anchor; /* a second place for the signed head: a file, best on other storage; NULL:
                           only dir has it */
    int64_t head_every_n; /* the head is signed and anchored after so many records; 0: 100 */
    int64_t head_every_deletions; /* … or so many about deletions, recalls and edits; 0: 16 */
    int64_t head_every_ms;        /* … or when the last one is older; 0: 60 s */
    int64_t segment_bytes; /* a new segment is begun at this size; 0: 64 MB. The one before is
                              compressed then */
};

/* Opens the log and looks at its end, from the last signed head on: a torn append (the power went)
 * is cut off, and said in the log; anything else is DAMAGED "audit.damaged" and nothing may be
 * deleted or sent. STATE "audit.cut": a head, ours or the anchor's, knows of more than the log has.
 * DAMAGED "audit.key": a head or the log's first record names another key. STATE "audit.anchor":
 * the anchor that the last head was put into is gone; another place, or none, may be given.
 * One thread at a time uses what it gives; several may be open for one dir, in any processes. */
enum mt_rc mt_audit_open(const struct mt_audit_options *options, struct mt_audit **out,
                         struct mt_fault *fault) MT_CHECKED;
/* Signs and anchors the head, closes. audit is gone also when it fails. */
enum mt_rc mt_audit_close(struct mt_audit *audit, struct mt_fault *fault);
/* Signs and anchors the head when records came after the last one. Costs two syncs, with an anchor
 * four. */
enum mt_rc mt_audit_head(struct mt_audit *audit, struct mt_fault *fault) MT_CHECKED;

enum mt_audit_type {
    MT_AUDIT_INTENT, /* durable before the cloud is asked */
    MT_AUDIT_RESULT, /* of an intent */
    MT_AUDIT_NOTE,   /* a run begins or ends, a plan is made, a job is confirmed */
};

struct mt_audit_record {
    enum mt_audit_type type;
    bool sign;           /* the head is signed right after it: the end of a run */
    uint64_t intent;     /* RESULT: the number of its intent */
    const char *account; /* the configuration's name; NULL: none, as the next ones */
    const char *user;    /* its id at the cloud */
    const char *actor;   /* who: "job nightly-retention", "moontide retention", "script bot.lua" */
    const char *verb;    /* "delete_messages", "send", "recall" … */
    const char *conversation;
    const char *why;        /* "policy older_than(\"90d\"), plan 3f…" */
    const char *outcome;    /* RESULT: done, gone, refused, unknown, failed */
    const char *code;       /* RESULT: code of the fault */
    const char *const *ids; /* messages */
    size_t ids_n;
    const char *detail; /* a JSON object with what else there is to say, or NULL */
};

/* All records in one write and one fsync; numbers[i] is given to record i (NULL: not wanted). After
 * a failure the audit refuses everything (STATE "audit.failed"), save where nothing was begun:
 * INVALID "audit.detail", LIMIT "audit.too_long" (a record of more than 1 MB, an append of more
 * than 16 MB), BUSY "audit.busy", NOMEM. */
enum mt_rc mt_audit_append(struct mt_audit *audit, const struct mt_audit_record *records, size_t n,
                           uint64_t *numbers, struct mt_fault *fault) MT_CHECKED;

/* Intents of an account (the record's user; NULL: of all) that have no result, oldest first: what a
 * run that died left open. ids live in the call. each may append; what it returns ends the call. */
typedef enum mt_rc mt_audit_open_fn(void *ud, uint64_t number,
                                    const struct mt_audit_record *record);
enum mt_rc mt_audit_unsettled(struct mt_audit *audit, const char *account, mt_audit_open_fn *each,
                              void *ud, struct mt_fault *fault) MT_CHECKED;

/* Compresses all finished segments, one at a time; between two of them others may append. A failure
 * leaves the log as it was. */
enum mt_rc mt_audit_compact(struct mt_audit *audit, uint32_t *segments_n,
                            struct mt_fault *fault) MT_CHECKED;

/* How long the audit itself is kept is its operator's decision; nothing here is removed by itself.
 */
struct mt_audit_prune {
    int64_t before_ms; /* segments that have only older records */
    const char *actor, *why;
    bool apply; /* else it only says what would go */
};
struct mt_audit_pruned {
    uint32_t segments_n; /* that went */
    uint64_t records_n, unsettled_n;
    uint64_t last_seq; /* of the records that went */
    int64_t first_ms, last_ms;
    char sha256[65];    /* of the last that went */
    uint64_t statement; /* number of the record that says it; 0: nothing went */
};
/* Removes whole segments from the front, never the last one. All of the log is proved first
 * (faults: mt_audit_prove). Then a record says what goes, with the hash of the last record that
 * goes; the head is signed and anchored with it; and only then it goes. NOT_FOUND "audit.none". */
enum mt_rc mt_audit_prune(const struct mt_audit_options *options, const struct mt_audit_prune *what,
                          struct mt_audit_pruned *out, struct mt_fault *fault) MT_CHECKED;

#endif
