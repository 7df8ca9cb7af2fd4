/* The journal of attachments, as its writer and verify read it. Private to the room. */
#ifndef MT_ARCHIVE_MEDIA_INT_H
#define MT_ARCHIVE_MEDIA_INT_H

#include "archive/archive_int.h"
#include "archive/media.h"

#define MT_AR_MEDIA_MAX ((size_t)1 << 30) /* of the journal */

/* The end of a line: CRC-32 (IEEE) of all that stands before it in the line. */
#define MT_AR_MEDIA_CRC     ",\"crc\":\"%08x\"}"
#define MT_AR_MEDIA_CRC_LEN 18

/* What is known of one message. */
struct mt_ar_medium {
    char sha256[MT_SHA256_HEX]; /* "": missing */
    char code[MT_MEDIA_CODE_MAX];
    char *line; /* missing: for missing.jsonl */
};

struct mt_ar_blob {
    char sha256[MT_SHA256_HEX];
    int64_t size_bytes;
};

struct mt_ar_media_index {
    struct mt_map *messages; /* "CONVERSATION ID" → struct mt_ar_medium */
    struct mt_map *remotes;  /* remote_path → struct mt_ar_blob */
    struct mt_map *files;    /* sha256 → struct mt_ar_blob */
    uint64_t missing_n;
    char last[MT_SHA256_HEX]; /* of the last line, or zeros */
    size_t good_bytes;        /* of whole and sound lines */
};

enum mt_rc mt_ar_media_index_init(struct mt_ar_media_index *index) MT_CHECKED;
void mt_ar_media_index_deinit(struct mt_ar_media_index *index);
/* Takes the lines of a journal in. What is wrong only at its end, as a crash leaves it, is left out
 * (good_bytes < len); DAMAGED otherwise. */
enum mt_rc mt_ar_media_parse(const char *data, size_t len, struct mt_ar_media_index *index,
                             struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_media_add(struct mt_ar_media_index *index, const struct mt_media_item *item,
                           int64_t at_ms) MT_CHECKED;
void mt_ar_media_key(const char *conversation, const char *message, struct mt_buf *out);
/* sha256/ab/cdef… below media. */
void mt_ar_media_name(const char *sha256, char out[MT_SHA256_HEX + 16]);

#endif
