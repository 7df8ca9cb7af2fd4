/* Reading the audit, and the full proof of it. Changes nothing, and needs no private key: who may
 * read the folder may do it while others append. Work-pool or tool code. */
#ifndef MT_POLICY_AUDIT_READ_H
#define MT_POLICY_AUDIT_READ_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#define MT_AUDIT_KEY_HEX 65

struct mt_audit_proof {
    uint64_t records_n; /* the number of the last that was proved */
    uint64_t first_seq; /* of the first: more than 1 when older ones were removed */
    uint64_t pruned_by; /* the record that says so; 0: none */
    uint32_t segments_n;
    uint64_t bytes; /* of the records, as they are when not compressed */
    int64_t first_ms, last_ms;
    uint64_t open_n;            /* intents without a result */
    uint64_t head_seq;          /* the record that HEAD signs */
    uint64_t anchor_seq;        /* that the anchor signs; 0: there is no anchor */
    int64_t torn_bytes;         /* of an append that did not end; the next opening cuts them off */
    uint64_t bad_seq;           /* where it is damaged or cut; 0: nowhere */
    char sha256[65];            /* of the last record */
    char key[MT_AUDIT_KEY_HEX]; /* the public key, in hexadecimal */
};

/* Every record, every link, both heads. anchor NULL: the place that HEAD names is not looked at.
 * What was removed from the front must stand in the log and in the signed head. Faults: NOT_FOUND
 * "audit.none"; DAMAGED "audit.damaged", "audit.head", "audit.key"; STATE "audit.cut",
 * "audit.anchor". The proof is filled as far as it went. */
enum mt_rc mt_audit_prove(const char *dir, const char *anchor, struct mt_audit_proof *proof,
                          struct mt_fault *fault) MT_CHECKED;
/* The same, and that a record that somebody has noted elsewhere is there: seq 0: none was. STATE
 * "audit.cut": the log ends before it; DAMAGED "audit.noted": it is another. */
enum mt_rc mt_audit_prove_noted(const char *dir, const char *anchor, uint64_t seq,
                                const char *sha256, struct mt_audit_proof *proof,
                                struct mt_fault *fault) MT_CHECKED;
/* What the signed head says was the last record; reads one small file, and proves nothing. False:
 * there is none. */
bool mt_audit_head_look(const char *dir, uint64_t *seq, char sha256[65]);

/* What is asked for; an absent part is NULL or 0. Results are given with their intents. */
struct mt_audit_filter {
    int64_t since_ms, until_ms; /* inclusive, exclusive */
    const char *account;        /* its name in the configuration, or the user's id */
    const char *verb;
    const char *id;           /* of a message */
    const char *conversation; /* its address, such as single:bob */
    const char *person; /* a user's id: whose account it is, or with whom it is a conversation */
    const char *actor;  /* a part of what says who did it */
    const char *plan;   /* the hash of a retention's plan, or how it begins */
};

struct mt_audit_reader;

enum mt_rc mt_audit_reader_open(const char *dir, const struct mt_audit_filter *filter,
                                struct mt_audit_reader **out, struct mt_fault *fault) MT_CHECKED;
/* The next lines into out, each with its newline; none: the end. Looks at some hundred thousand
 * records at most and sets *more when there may be others. */
enum mt_rc mt_audit_reader_next(struct mt_audit_reader *reader, struct mt_buf *out, bool *more,
                                struct mt_fault *fault) MT_CHECKED;
void mt_audit_reader_close(struct mt_audit_reader *reader);

#endif
