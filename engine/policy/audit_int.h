/* What the files of the audit share. The folder of a log:
 *   000001.jsonl …  the records, {"seq":1,"prev":"<SHA-256 of the line before>","at":…,"type":…}
 *   000001.jsonl.zst  the same, compressed; while both are there the other one counts
 *   HEAD            the last signed head: a line of JSON, and a line with its signature
 *   key, key.pub    PEM, Ed25519; made with the first record, which names the public key
 *   OPEN            which intents had no result at that head; can be made anew from the records
 *   LOCK            flocked for each append
 * Private to the room. */
#ifndef MT_POLICY_AUDIT_INT_H
#define MT_POLICY_AUDIT_INT_H

#include "base/fs.h"
#include "base/map.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "codec/sign.h"
#include "codec/zstd.h"
#include "policy/audit.h"

#define MT_AU_PATH_MAX      4096
#define MT_AU_LINE_MAX      ((size_t)1 << 20)
#define MT_AU_APPEND_MAX    ((size_t)16 << 20)
#define MT_AU_SEGMENT_BYTES ((int64_t)64 << 20)
#define MT_AU_SEGMENTS_MAX  999999u
#define MT_AU_SEGMENT_MAX   ((int64_t)256 << 20) /* what a compressed one may hold */
#define MT_AU_HEAD_MAX      ((size_t)16 << 10)
#define MT_AU_OPEN_MAX      ((size_t)64 << 20)
#define MT_AU_KEY_HEX       (2 * MT_SIGN_KEY_LEN + 1)
#define MT_AU_LOCK_MS       30000

/* A record's place; seq 0: before the first. */
struct mt_au_place {
    uint32_t segment;
    int64_t start, end; /* of its line, newline included */
    uint64_t seq;
    char sha256[MT_SHA256_HEX]; /* of the line without newline */
};

/* Where the log began and ended when somebody held the lock. */
struct mt_au_end {
    uint32_t first;      /* segment; 1 unless older ones were removed */
    uint32_t segments_n; /* the number of the last; 0: there is none */
    int64_t size;        /* of the last of them */
};

/* What was removed from the front, by whoever may. It is in force when a signed head says so. */
struct mt_au_pruned {
    struct mt_au_place removed;   /* the last record that went: segment, seq, sha256 */
    struct mt_au_place statement; /* the record that says it, without sha256; seq 0: none */
};

struct mt_au_head {
    struct mt_au_place place;
    struct mt_au_pruned pruned;
    int64_t at_ms;
    char key[MT_AU_KEY_HEX];
    char anchor[MT_AU_PATH_MAX]; /* where it was put too; empty: nowhere */
};

/* An intent without a result. */
struct mt_au_open {
    struct mt_au_place place; /* without sha256 */
    char user[256];
};

/* What a line says; texts live as long as json. */
struct mt_au_line {
    uint64_t seq;
    char prev[MT_SHA256_HEX];
    uint64_t batch_at, batch_n; /* its place among the records of one append */
    struct mt_json *json;
};

/* A segment that is read, compressed or not. */
struct mt_au_file {
    uint32_t segment; /* 0: none is open */
    int fd;
    int64_t size;                /* INT64_MAX: compressed, and only its end tells */
    struct mt_zstd_reader *zstd; /* NULL: not compressed */
    char *bytes;                 /* the last that zstd gave */
    size_t bytes_n;
    int64_t bytes_at; /* where they stand */
};

struct mt_audit {
    char *dir, *anchor;
    int64_t head_every_n, head_every_deletions, head_every_ms, segment_bytes;
    uint8_t key[MT_SIGN_KEY_LEN], public_key[MT_SIGN_KEY_LEN];
    struct mt_au_place last;
    uint32_t segments_n;           /* files that there are; the newest may be empty still */
    uint64_t unsigned_n;           /* records since the last head that we wrote */
    uint64_t unsigned_deletions_n; /* of them, those about what is deleted, recalled or edited */
    struct mt_au_pruned pruned;
    int64_t head_mono_ms;
    struct mt_map *open; /* number → struct mt_au_open; NULL: not known, to be read from the log */
    int lock_fd;         /* -1: not held */
    bool is_anchored;    /* the anchor, if there is to be one, was found */
    bool saw_prune;      /* among what others appended */
    bool failed;
};

/* audit_line.c: lines, and walking along them. */
void mt_au_path(const char *dir, const char *name, char out[MT_AU_PATH_MAX]);
void mt_au_segment_path(const char *dir, uint32_t segment, char out[MT_AU_PATH_MAX]);
enum mt_rc mt_au_damaged(struct mt_fault *fault, uint64_t seq, const char *why);
enum mt_rc mt_au_nomem(struct mt_fault *fault);
enum mt_rc mt_au_no_log(struct mt_fault *fault, const char *dir);
void mt_au_none(struct mt_au_place *place);
/* Appends the line of a record with its newline; batch_n 1: an append of its own. */
enum mt_rc mt_au_write(struct mt_buf *out, const struct mt_audit_record *record,
                       const struct mt_au_place *before, int64_t at_ms, uint64_t batch_at,
                       uint64_t batch_n, struct mt_fault *fault);
/* DAMAGED if it is no record; json is to be freed otherwise. */
enum mt_rc mt_au_parse(const char *line, size_t len, struct mt_au_line *out);
/* What the proof needs of a line, without reading all of its JSON where it stands as mt_au_write
 * puts it. DAMAGED if it is no record. */
struct mt_au_brief {
    int64_t at_ms;
    bool is_intent, is_result;
    uint64_t intent;
};
enum mt_rc mt_au_brief_of(const char *line, size_t len, struct mt_au_brief *out);
/* Reads the records behind *at up to the end and proves that each follows the one before; *at is
 * then the last. torn: bytes at the end that a power cut may have left of an append. */
typedef enum mt_rc mt_au_each_fn(void *ud, const struct mt_au_place *place, const char *line,
                                 size_t len);
enum mt_rc mt_au_walk(const char *dir, const struct mt_au_end *end, struct mt_au_place *at,
                      mt_au_each_fn *each, void *ud, int64_t *torn, struct mt_fault *fault);
/* The same with a segment that stays open between two walks: a compressed one is not read from its
 * beginning again. */
enum mt_rc mt_au_walk_on(struct mt_au_file *file, const char *dir, const struct mt_au_end *end,
                         struct mt_au_place *at, mt_au_each_fn *each, void *ud, int64_t *torn,
                         struct mt_fault *fault);
/* Number and hash of the record before, as the beginning of a line has them. */
bool mt_au_link(const char *line, size_t len, uint64_t *seq, char prev[MT_SHA256_HEX]);

/* audit_file.c: segments, compressed or not. */
void mt_au_compressed_path(const char *dir, uint32_t segment, char out[MT_AU_PATH_MAX]);
/* Which segments there are: from the first to the last without a hole, and the last not compressed
 * (DAMAGED otherwise), and how long the last is. */
enum mt_rc mt_au_find_end(const char *dir, struct mt_au_end *out, struct mt_fault *fault);
/* The end as seen from a segment that was the last: a few questions, not a list. segments_n is less
 * than from when that one is gone. */
enum mt_rc mt_au_find_end_from(const char *dir, uint32_t from, struct mt_au_end *out,
                               struct mt_fault *fault);
/* The place before the first record that there is. */
enum mt_rc mt_au_from(const char *dir, const struct mt_au_end *end, struct mt_au_place *out,
                      struct mt_fault *fault);
void mt_au_file_init(struct mt_au_file *file);
/* Nothing is done if it is open already. */
enum mt_rc mt_au_file_open(struct mt_au_file *file, const char *dir, uint32_t segment,
                           struct mt_fault *fault);
/* *got less than len: it ends there. DAMAGED without a fault: what is compressed cannot be read. */
enum mt_rc mt_au_file_read(struct mt_au_file *file, int64_t offset, void *p, size_t len,
                           size_t *got, struct mt_fault *fault);
void mt_au_file_close(struct mt_au_file *file);
/* One line by its place, without newline; *out is to be freed. NOT_FOUND: the log is shorter;
 * DAMAGED: no line is there. file: of places in ascending order each segment is read once. */
enum mt_rc mt_au_line_at(struct mt_au_file *file, const char *dir, const struct mt_au_place *place,
                         char **out, size_t *len, struct mt_fault *fault);
/* With the lock: replaces a finished segment by its compressed form, read back and compared. *done
 * false: there was nothing to do. */
enum mt_rc mt_au_compress(const char *dir, uint32_t segment, bool *done, struct mt_fault *fault);
/* The segments up to this one, oldest first. */
enum mt_rc mt_au_remove(const char *dir, uint32_t first, uint32_t last, struct mt_fault *fault);

/* audit_head.c */
enum mt_rc mt_au_key_read(const char *dir, uint8_t key[MT_SIGN_KEY_LEN], struct mt_fault *fault);
enum mt_rc mt_au_key_make(const char *dir, uint8_t key[MT_SIGN_KEY_LEN], struct mt_fault *fault);
/* place.seq 0: there is none. DAMAGED if it is no head, or not signed by the key. */
enum mt_rc mt_au_head_read(const char *path, const uint8_t public_key[MT_SIGN_KEY_LEN],
                           struct mt_au_head *out, struct mt_fault *fault);
enum mt_rc mt_au_head_write(struct mt_audit *audit, struct mt_fault *fault);
/* The record that the head names is there, with its hash. */
enum mt_rc mt_au_head_check(const char *dir, const struct mt_au_head *head, struct mt_fault *fault);
/* The anchor's head may be absent only if own was never put there. */
enum mt_rc mt_au_anchor_check(const char *anchor, const struct mt_au_head *own,
                              const struct mt_au_head *anchored, struct mt_fault *fault);
/* That the log begins where it did, or where a signed statement says since when it does. */
enum mt_rc mt_au_front_check(const char *dir, const struct mt_au_end *end,
                             const struct mt_au_pruned *pruned,
                             const uint8_t public_key[MT_SIGN_KEY_LEN], struct mt_fault *fault);
/* The record that is the statement says so, and names the key. */
enum mt_rc mt_au_statement_check(const char *line, size_t len, const struct mt_au_pruned *pruned,
                                 const uint8_t public_key[MT_SIGN_KEY_LEN], struct mt_fault *fault);
/* The public key that the first record names is this one. */
enum mt_rc mt_au_first_check(const char *line, size_t len,
                             const uint8_t public_key[MT_SIGN_KEY_LEN], struct mt_fault *fault);

/* audit_open.c: intents without a result. A failure makes the set unknown, not the log bad. */
void mt_au_open_forget(struct mt_audit *audit);
void mt_au_open_none(struct mt_audit *audit); /* known to be empty */
void mt_au_open_take(struct mt_audit *audit, const struct mt_audit_record *record,
                     const struct mt_au_place *place);
void mt_au_open_take_line(struct mt_audit *audit, const struct mt_au_line *line,
                          const struct mt_au_place *place);
void mt_au_open_take_brief(struct mt_audit *audit, const struct mt_au_brief *brief,
                           const struct mt_au_place *place);
void mt_au_open_load(struct mt_audit *audit, const struct mt_au_place *head);
void mt_au_open_save(struct mt_audit *audit);
enum mt_rc mt_au_open_need(struct mt_audit *audit, struct mt_fault *fault); /* known from here on */
/* How many are at seq or before; drop: they are forgotten. */
size_t mt_au_open_until(struct mt_audit *audit, uint64_t seq, bool drop);

/* audit.c */
/* LOCK is made when make is set; without it NOT_FOUND says that there is no log. */
enum mt_rc mt_au_lock(const char *dir, bool make, int *fd, struct mt_fault *fault);
void mt_au_unlock(int *fd);
/* With the lock: what others have appended. A torn end is cut off. */
enum mt_rc mt_au_catch_up(struct mt_audit *audit, struct mt_fault *fault);
/* With the lock, after catching up. What fails before the write has changed nothing. */
enum mt_rc mt_au_append(struct mt_audit *audit, const struct mt_audit_record *records, size_t n,
                        uint64_t *numbers, struct mt_fault *fault);
enum mt_rc mt_au_refuse(struct mt_fault *fault);

#endif
