/* What is uploaded, the same for every cloud: a file or bytes from memory, and how it is put into a
 * request. For the rooms of the clouds alone. */
#ifndef MT_PROVIDER_SOURCE_H
#define MT_PROVIDER_SOURCE_H

#include "http/http.h"
#include "provider/live.h"

struct mt_source {
    char *path; /* NULL: data */
    char *data;
    char *filename;
    int64_t size_bytes, mtime_ms;
    int err;
    bool is_file;
};

/* Copies what the caller gave. False: memory is short; to be deinited in any case. */
bool mt_source_init(struct mt_source *source, const struct mt_upload *what);
void mt_source_deinit(struct mt_source *source);
/* Of a path, on the pool: how large it is, and whether it may be read. */
void mt_source_look(struct mt_source *source);
/* What was seen then: file.missing, file.kind, file.empty, upload.too_large. */
enum mt_rc mt_source_judge(const struct mt_source *source, int64_t max_bytes,
                           struct mt_fault *fault) MT_CHECKED;
/* What a browser would say of the file; NULL: nothing. */
const char *mt_source_type(const char *filename);
/* The source between head and tail as the body of a request; head must have room for what comes
 * from memory. All of them live until the request was started. */
void mt_source_put(const struct mt_source *source, struct mt_buf *head, const struct mt_buf *tail,
                   struct mt_http_file *file, struct mt_http_request *request);

#endif
