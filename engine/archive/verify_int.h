/* What the files of verify share. Private to the room. */
#ifndef MT_ARCHIVE_VERIFY_INT_H
#define MT_ARCHIVE_VERIFY_INT_H

#include "archive/archive_int.h"
#include "archive/verify.h"

struct mt_ar_media_index;

/* An id in few bytes: a number as itself, any other text by its hash. */
struct mt_ar_id_key {
    uint64_t high, low;
};
struct mt_ar_id_key mt_ar_id_key(const char *id);

struct mt_ar_verify {
    struct mt_archive archive; /* only root, base, convs and journal are used */
    enum mt_verify_mode mode;
    void (*problem)(void *ud, const char *text);
    void (*progress)(void *ud, int64_t done_bytes, int64_t total_bytes);
    void *ud;
    struct mt_verify_report *report;
    bool damaged, gaps;
    int64_t total_bytes, done_bytes;
    enum mt_rc rc; /* NOMEM only: everything else is a finding */
    /* the conversation in hand */
    const struct mt_ar_conv *conv;
    uint64_t lines_n, messages_n, bad_lines_n;
    struct mt_ar_id_key *ids;
    size_t ids_n, ids_cap;
    char first_id[MT_ID_MAX];
    /* the segment in hand */
    struct mt_sha256 *hash;
    struct mt_buf rest;
    int64_t bytes;
    struct mt_ar_counts counts;
    struct mt_ar_media_index *media; /* NULL: no attachments were ever fetched */
    uint64_t unfetched_n;
};

/* A finding: damage, or something that is only not complete. */
void mt_ar_verify_find(struct mt_ar_verify *v, bool damage, const char *fmt, ...) MT_PRINTF(3, 4);

/* verify_segment.c: the bytes and lines of a sealed or an open segment. */
void mt_ar_verify_sealed(struct mt_ar_verify *v, const struct mt_ar_sealed *sealed);
void mt_ar_verify_open(struct mt_ar_verify *v);

/* verify_media.c */
void mt_ar_verify_media_load(struct mt_ar_verify *v);
void mt_ar_verify_media_free(struct mt_ar_verify *v);
/* A message line that was read. */
void mt_ar_verify_attachment(struct mt_ar_verify *v, const struct mt_json *line, const char *id);
void mt_ar_verify_media(struct mt_ar_verify *v);

/* verify_conv.c */
void mt_ar_verify_convs(struct mt_ar_verify *v);

#endif
