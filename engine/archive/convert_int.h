/* What the converters share: one walk over every line of an archive, read without its lock. Private
 * to the room. */
#ifndef MT_ARCHIVE_CONVERT_INT_H
#define MT_ARCHIVE_CONVERT_INT_H

#include "archive/archive_int.h"
#include "archive/convert.h"
#include "codec/json.h"

/* A line as the converters want it; strings live as long as the call. */
struct mt_ar_row {
    const char *conversation;
    const char *type; /* "message", "edit", "recall", "gap" */
    const char *id;
    const char *target;
    const char *from;
    const char *to;
    const char *direction;
    const char *kind;
    const char *text;
    const char *at;
    int64_t time_ms;
    const struct mt_json *line;
};

struct mt_ar_walk {
    struct mt_archive archive;
    enum mt_rc (*conversation)(void *ud, const struct mt_archive_state *state); /* may be NULL */
    enum mt_rc (*row)(void *ud, const struct mt_ar_row *row);
    void *ud;
    struct mt_convert_result *result;
    struct mt_fault *fault;
    void (*progress)(void *ud, uint64_t done_n, uint64_t total_n);
    void *progress_ud;
    uint64_t total_n;
    enum mt_rc rc;
};

enum mt_rc mt_ar_walk(const char *dir, struct mt_ar_walk *walk) MT_CHECKED;

enum mt_rc mt_ar_to_csv(const char *dir, struct mt_ar_walk *walk) MT_CHECKED;
enum mt_rc mt_ar_to_html(const char *dir, struct mt_ar_walk *walk) MT_CHECKED;
enum mt_rc mt_ar_to_sqlite(const char *dir, struct mt_ar_walk *walk) MT_CHECKED;

/* A file written in pieces: gathered, written when large, fsynced and renamed at the end. */
struct mt_ar_out {
    char path[MT_AR_PATH_MAX];
    char tmp[MT_AR_PATH_MAX];
    int fd;
    struct mt_buf buf;
};
enum mt_rc mt_ar_out_open(struct mt_ar_out *out, const char *path,
                          struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_ar_out_flush(struct mt_ar_out *out, bool all, struct mt_fault *fault) MT_CHECKED;
/* Keeps the file when rc is MT_OK, removes it otherwise. Returns the first failure. */
enum mt_rc mt_ar_out_close(struct mt_ar_out *out, enum mt_rc rc, struct mt_fault *fault);

#endif
