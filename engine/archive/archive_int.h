/* What the files of the archive share: the state of one archive in memory, its journal (CHECKPOINT)
 * and its manifest. Private to the room. */
#ifndef MT_ARCHIVE_ARCHIVE_INT_H
#define MT_ARCHIVE_ARCHIVE_INT_H

#include "archive/archive.h"
#include "base/buf.h"
#include "base/map.h"
#include "codec/hash.h"

struct mt_json;
struct mt_jsonw;

#define MT_AR_PATH_MAX       4096
#define MT_AR_FORMAT         "imarc 1\n"
#define MT_AR_JOURNAL_MAX    (256u << 20)
#define MT_AR_MANIFEST_MAX   (256u << 20)
#define MT_AR_LINE_MAX       (64u << 20)
#define MT_AR_RECORD_MAX     8192u
#define MT_AR_SEGMENT_MAX    999999u
#define MT_AR_COMPACT_BYTES  (1 << 20)
#define MT_AR_COMPACT_FACTOR 4
#define MT_AR_OPEN_MAX       64 /* segments that a commit holds open at once */

/* What one segment holds. Ids are those of its first and last message line, times the smallest and
 * the largest. */
struct mt_ar_counts {
    uint64_t lines_n, messages_n, gaps_n;
    char first_id[MT_ID_MAX], last_id[MT_ID_MAX];
    int64_t first_ms, last_ms;
};

/* A sealed segment, as the manifest says. */
struct mt_ar_sealed {
    uint64_t seq;
    uint32_t segment;
    int64_t bytes, zst_bytes;
    char sha256[MT_SHA256_HEX], zst_sha256[MT_SHA256_HEX];
    struct mt_ar_counts counts;
    struct mt_ar_sealed *next; /* of the same conversation */
};

/* How much of the manifest is committed. */
struct mt_ar_manifest_head {
    uint64_t seq;
    int64_t bytes;
    char sha256[MT_SHA256_HEX]; /* of the last line, or zeros */
};

/* One conversation: what is committed, and the open segment. */
struct mt_ar_conv {
    struct mt_archive_state state;
    char dir[256]; /* below conv/ */
    uint32_t segment;
    int64_t offset;             /* committed bytes of the open segment */
    char sha256[MT_SHA256_HEX]; /* of those bytes; zeros if there are none */
    struct mt_ar_counts counts; /* of the open segment */
    int64_t born_ms;            /* when the open segment was begun; 0: not yet */
    struct mt_sha256 *hash;     /* running; NULL until first touched in this run */
    struct mt_ar_sealed *sealed, *sealed_last;
    /* during a commit */
    struct mt_ar_conv *touched_next;
    bool touched;
    bool created; /* the open segment's name is not durable yet */
    int fd;
};

/* A record's place: which commit of this journal, which record of it, of how many. What an
 * interrupted commit leaves can so be told from a record that was damaged or taken out. */
struct mt_ar_place {
    uint64_t commit, index, of;
};

struct mt_ar_journal {
    bool exists;
    bool clean;         /* the last record is an end */
    int64_t good_bytes; /* up to the end of the last good record */
    int64_t run_bytes;  /* appended by this run since the last rewrite */
    uint64_t records_n;
    struct mt_ar_place place; /* of the last good record */
    char account_sha256[MT_SHA256_HEX];
    char unseen[MT_ARCHIVE_UNSEEN_MAX]; /* as the last end says */
    struct mt_ar_manifest_head manifest;
    struct mt_sha256 *hash; /* of all bytes up to good_bytes */
};

struct mt_archive {
    char root[MT_AR_PATH_MAX - 1024]; /* DIR */
    char base[MT_AR_PATH_MAX - 600];  /* the account's folder */
    struct mt_archive_options options;
    struct mt_map *convs; /* conversation → struct mt_ar_conv */
    struct mt_ar_journal journal;
    int lock_fd;
    int journal_fd;
    char unseen[MT_ARCHIVE_UNSEEN_MAX]; /* as the next end will say */
    bool begun;                         /* the begin record of this run is durable */
    int64_t compact_bytes; /* the journal is rewritten when larger than this and mostly dead */
    bool broken;           /* after an I/O error nothing more is committed */
    struct mt_fault broken_fault;
};

/* names.c: paths, and the words for what is wrong with an archive. */
void mt_ar_path(const struct mt_archive *archive, char *out, const char *fmt, ...) MT_PRINTF(3, 4);
void mt_ar_segment_path(const struct mt_archive *archive, const struct mt_ar_conv *conv,
                        uint32_t segment, const char *suffix, char *out);
enum mt_rc mt_ar_damaged(struct mt_fault *fault, const char *file, const char *what);
enum mt_rc mt_ar_nomem(struct mt_fault *fault);
/* Marks the archive as broken and returns the fault's kind. */
enum mt_rc mt_ar_break(struct mt_archive *archive, const struct mt_fault *fault);
/* Conversation folders: name → struct mt_ar_conv. NULL when memory is short. */
struct mt_map *mt_ar_folders(const struct mt_archive *archive);

/* What a name in a conversation's folder is. */
enum mt_ar_file {
    MT_AR_FILE_OURS,       /* a segment that the journal knows */
    MT_AR_FILE_LEFT,       /* what a crash may leave: removed by recovery */
    MT_AR_FILE_IMPOSSIBLE, /* a segment that no crash explains: the journal is not the newest */
    MT_AR_FILE_FOREIGN,
};
enum mt_ar_file mt_ar_file_of(const struct mt_ar_conv *conv, const char *name);

/* lock.c */
enum mt_rc mt_ar_lock(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
/* BUSY "archive.locked" while a process is writing the archive in root. */
enum mt_rc mt_ar_lock_probe(const char *root, struct mt_fault *fault) MT_CHECKED;

/* account.c */
bool mt_ar_name_is_ours(const char *name); /* in DIR, beside the account */
enum mt_rc mt_ar_check_format(const struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_check_others(const struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_check_account(struct mt_archive *archive, const struct mt_archive_identity *id,
                               struct mt_fault *fault) MT_CHECKED;
/* The fields of an account.json. */
struct mt_ar_account {
    char provider[64], appkey[160], user[160];
};
enum mt_rc mt_ar_account_parse(const char *text, size_t len, struct mt_ar_account *out) MT_CHECKED;

/* journal.c: parsing is on memory, so that it can be fuzzed. */
enum mt_rc mt_ar_journal_init(struct mt_ar_journal *journal) MT_CHECKED; /* as of no file */
enum mt_rc mt_ar_journal_parse(const char *data, size_t len, struct mt_ar_journal *journal,
                               struct mt_map *convs, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_journal_load(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
void mt_ar_conv_free(void *p);
struct mt_ar_conv *mt_ar_conv_new(const char *conversation);

/* journal_write.c */
enum mt_rc mt_ar_journal_begin(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
/* One commit: n conversations, with the manifest's head if it has changed. */
enum mt_rc mt_ar_journal_commit(struct mt_archive *archive, struct mt_ar_conv *const *convs,
                                size_t n, bool manifest, struct mt_fault *fault) MT_CHECKED;
bool mt_ar_journal_is_due(const struct mt_archive *archive, bool ending);
/* Replaces the journal by one that holds only what is live, and is durable. */
enum mt_rc mt_ar_journal_rewrite(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_journal_end(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
/* Hash over journal and manifest: what a person keeps elsewhere. */
void mt_ar_head(const struct mt_ar_journal *journal, char out[MT_SHA256_HEX]);

/* manifest.c */
enum mt_rc mt_ar_manifest_parse(const char *data, size_t len,
                                const struct mt_ar_manifest_head *committed, struct mt_map *convs,
                                struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_manifest_load(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_manifest_append(struct mt_archive *archive, const struct mt_ar_conv *conv,
                                 struct mt_ar_sealed *sealed, struct mt_fault *fault) MT_CHECKED;

/* recover.c: look changes nothing and is what verify asks as well. */
enum mt_rc mt_ar_recover_look(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_recover(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;

/* media.c: the same for attachments, of an archive whose last run did not end. look: DAMAGED when
 * their journal is not as a crash leaves it. recover cuts off a torn last line, and removes
 * downloads that were not finished and files that have no line. */
enum mt_rc mt_ar_media_look(const struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_media_recover(const struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;

/* segment.c: makes the open segment ready for appending; the first time in a run what is committed
 * is hashed again and compared. */
enum mt_rc mt_ar_segment_open(struct mt_archive *archive, struct mt_ar_conv *conv,
                              struct mt_fault *fault) MT_CHECKED;

/* seal.c */
enum mt_rc mt_ar_seal(struct mt_archive *archive, struct mt_ar_conv *conv,
                      struct mt_fault *fault) MT_CHECKED;

/* reader.c: a zeroed archive becomes that of dir, without a lock, to be read. To be closed also
 * when that fails. */
enum mt_rc mt_ar_open_to_read(struct mt_archive *archive, const char *dir,
                              struct mt_fault *fault) MT_CHECKED;
void mt_ar_close_read(struct mt_archive *archive);

/* lines.c */
/* As mt_archive_lines, of one segment; *more: there are later ones. */
enum mt_rc mt_ar_lines_of_segment(struct mt_archive *archive, const char *conversation, size_t at,
                                  enum mt_rc (*each)(void *ud, const char *line, size_t len),
                                  void *ud, bool *more, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_split(struct mt_buf *rest, const void *p, size_t len,
                       enum mt_rc (*each)(void *ud, const char *line, size_t len), void *ud);

/* fields.c: the small readers and writers of journal and manifest. */
bool mt_ar_take_hex(const struct mt_json *object, const char *key, char out[MT_SHA256_HEX]);
bool mt_ar_take_u64(const struct mt_json *object, const char *key, uint64_t *out);
bool mt_ar_take_i64(const struct mt_json *object, const char *key, int64_t *out);
/* A text of less than cap bytes; "0" is none, and "". */
bool mt_ar_take_id(const struct mt_json *object, const char *key, char *out, size_t cap);
bool mt_ar_take_counts(const struct mt_json *object, struct mt_ar_counts *out);
void mt_ar_put_u64(struct mt_jsonw *w, const char *key, uint64_t v);
void mt_ar_put_i64(struct mt_jsonw *w, const char *key, int64_t v);
void mt_ar_put_id(struct mt_jsonw *w, const char *key, const char *id);
void mt_ar_put_str(struct mt_jsonw *w, const char *key, const char *v);
void mt_ar_put_counts(struct mt_jsonw *w, const struct mt_ar_counts *counts);
void mt_ar_hex_of(const void *p, size_t len, char out[MT_SHA256_HEX]);
void mt_ar_hex_peek(const struct mt_sha256 *hash, char out[MT_SHA256_HEX]);
void mt_ar_hex_zero(char out[MT_SHA256_HEX]);

#endif
