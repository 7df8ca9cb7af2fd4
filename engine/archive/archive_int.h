/* What the files of the archive share: the state of one archive in memory, its journal (CHECKPOINT)
 * and its manifest. Private to the room. */
#ifndef MT_ARCHIVE_ARCHIVE_INT_H
#define MT_ARCHIVE_ARCHIVE_INT_H

#include "archive/archive.h"
#include "base/buf.h"
#include "base/map.h"
#include "codec/hash.h"

#define MT_AR_PATH_MAX       4096
#define MT_AR_FORMAT         "imarc 1\n"
#define MT_AR_JOURNAL_MAX    (256u << 20)
#define MT_AR_MANIFEST_MAX   (256u << 20)
#define MT_AR_LINE_MAX       (64u << 20)
#define MT_AR_RECORD_MAX     4096u
#define MT_AR_COMPACT_BYTES  (1 << 20)
#define MT_AR_COMPACT_FACTOR 4

/* A sealed segment, as the manifest says. */
struct mt_ar_sealed {
    uint64_t seq;
    uint32_t segment;
    char conversation[256];
    char file[512]; /* relative to the account's folder */
    int64_t bytes, zst_bytes;
    char sha256[MT_SHA256_HEX], zst_sha256[MT_SHA256_HEX];
    uint64_t lines_n, messages_n;
    int64_t first_ms, last_ms;
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
    char sha256[MT_SHA256_HEX]; /* of those bytes */
    uint64_t segment_lines_n, segment_messages_n;
    int64_t segment_first_ms, segment_last_ms;
    int64_t segment_born_ms;
    struct mt_sha256 *hash; /* running; NULL until first touched in this run */
    struct mt_ar_sealed *sealed, *sealed_last;
    /* during a commit */
    struct mt_ar_conv *touched_next;
    bool touched;
    bool created;
    int fd;
};

struct mt_ar_journal {
    bool exists;
    bool clean;         /* the last record is an end */
    bool torn;          /* a last record was cut off */
    int64_t good_bytes; /* up to the end of the last good record */
    uint64_t records_n;
    char account_sha256[MT_SHA256_HEX];
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
    bool begun;  /* the begin record of this run is durable */
    bool broken; /* after an I/O error nothing more is committed */
    struct mt_fault broken_fault;
};

/* names.c */
void mt_ar_path(const struct mt_archive *archive, char *out, const char *fmt, ...) MT_PRINTF(3, 4);
void mt_ar_segment_path(const struct mt_archive *archive, const struct mt_ar_conv *conv,
                        uint32_t segment, const char *suffix, char *out);

/* journal.c: parsing is on memory, so that it can be fuzzed. */
enum mt_rc mt_ar_journal_parse(const char *data, size_t len, struct mt_ar_journal *journal,
                               struct mt_map *convs, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_journal_load(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_journal_begin(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_journal_put_conv(const struct mt_ar_conv *conv,
                                  const struct mt_ar_manifest_head *manifest, struct mt_buf *out);
enum mt_rc mt_ar_journal_append(struct mt_archive *archive, const struct mt_buf *records,
                                struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_journal_end(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
void mt_ar_conv_free(void *p);
struct mt_ar_conv *mt_ar_conv_new(const char *conversation);
/* Hash over journal and manifest: what a person keeps elsewhere. */
void mt_ar_head(const struct mt_ar_journal *journal, char out[MT_SHA256_HEX]);

/* manifest.c */
enum mt_rc mt_ar_manifest_parse(const char *data, size_t len,
                                const struct mt_ar_manifest_head *committed, struct mt_map *convs,
                                struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_manifest_load(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_manifest_append(struct mt_archive *archive, const struct mt_ar_conv *conv,
                                 struct mt_ar_sealed *sealed, struct mt_fault *fault) MT_CHECKED;

/* recover.c */
enum mt_rc mt_ar_recover(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;
/* Makes the open segment ready for appending: rehashes what is committed and compares. */
enum mt_rc mt_ar_segment_open(struct mt_archive *archive, struct mt_ar_conv *conv,
                              struct mt_fault *fault) MT_CHECKED;

/* lines.c */
enum mt_rc mt_ar_split(struct mt_buf *rest, const void *p, size_t len,
                       enum mt_rc (*each)(void *ud, const char *line, size_t len), void *ud);

enum mt_rc mt_ar_damaged(struct mt_fault *fault, const char *file, const char *what);
/* Marks the archive as broken and returns the fault's kind. */
enum mt_rc mt_ar_break(struct mt_archive *archive, const struct mt_fault *fault);

#endif
