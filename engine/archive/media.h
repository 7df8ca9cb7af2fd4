/* The attachments of an archive: files that are named by the hash of what they hold, and a journal
 * that says which message each belongs to, or why a message's attachment is not there
 * (docs/archive.md). While the archive is open for writing. */
#ifndef MT_ARCHIVE_MEDIA_H
#define MT_ARCHIVE_MEDIA_H

#include "archive/archive.h"

#define MT_MEDIA_PATH_MAX 4096
#define MT_MEDIA_CODE_MAX 48

struct mt_media;

/* One message's attachment. Strings are the caller's. */
struct mt_media_item {
    const char *conversation;
    const char *message; /* its id */
    const char *remote_path;
    const char *missing; /* why it is not there, a fault's code; NULL: it is */
    const char *sha256;  /* 64 hexadecimal digits */
    int64_t size_bytes;
    const char *temp; /* the whole and durable file that becomes it; NULL: it is there already */
};

/* Reads the journal, and makes folders that are not there. Work pool. DAMAGED "archive.damaged". */
enum mt_rc mt_media_open(const struct mt_archive *archive, struct mt_media **out,
                         struct mt_fault *fault) MT_CHECKED;
void mt_media_free(struct mt_media *media);
/* Before the first download: from now on the archive is one that a run is writing, so that what a
 * crash leaves is known for what it is. Work pool, through the writer. */
enum mt_rc mt_media_begin(struct mt_archive *archive, struct mt_fault *fault) MT_CHECKED;

/* Loop thread. What is known of a message's attachment. */
enum mt_media_state {
    MT_MEDIA_NEW,
    MT_MEDIA_THERE,
    MT_MEDIA_MISSING /* the last attempt said so; *code is the fault's */
};
enum mt_media_state mt_media_find(const struct mt_media *media, const char *conversation,
                                  const char *message, const char **code);
/* The hash of what was fetched from that address before, or NULL. */
const char *mt_media_known(const struct mt_media *media, const char *remote_path,
                           int64_t *size_bytes);
/* A path for a new download. */
void mt_media_temp(struct mt_media *media, char out[MT_MEDIA_PATH_MAX]);
/* How many of all known attachments are missing. */
uint64_t mt_media_missing_n(const struct mt_media *media);

/* Work pool, one call at a time: files to their places, then the lines, all durable. After a
 * failure the journal is in doubt, and nothing more is written (STATE). */
enum mt_rc mt_media_commit(struct mt_media *media, const struct mt_media_item *items, size_t n,
                           struct mt_fault *fault) MT_CHECKED;
/* Loop thread, after a commit that went well: from now on they are known. */
enum mt_rc mt_media_note(struct mt_media *media, const struct mt_media_item *items,
                         size_t n) MT_CHECKED;
/* Work pool, while nothing is noted: media/missing.jsonl as it should be; none when nothing is
 * missing. */
enum mt_rc mt_media_list_missing(struct mt_media *media, struct mt_fault *fault) MT_CHECKED;

#endif
