/* A download into a new file, the same for every cloud: the file has another name until it is
 * whole. For the rooms of the clouds alone. */
#ifndef MT_PROVIDER_FETCH_H
#define MT_PROVIDER_FETCH_H

#include "codec/hash.h"
#include "http/http.h"
#include "provider/live.h"

struct mt_fetch {
    mt_progress_fn *progress;
    mt_downloaded_fn *done;
    void *ud;
    char *path;
    char *part;         /* where it is written until it is whole */
    int64_t want_bytes; /* 0: any */
    int64_t max_bytes;
    int64_t bytes;
    char sha256[MT_SHA256_HEX];
    bool discard;
    bool renamed;
    bool ended;
    int err;
    const char *verb;
    struct mt_http_sink sink;
};

/* False: memory is short; to be deinited in any case. */
bool mt_fetch_init(struct mt_fetch *fetch, const struct mt_download *what, mt_progress_fn *progress,
                   mt_downloaded_fn *done, void *ud);
void mt_fetch_deinit(struct mt_fetch *fetch);
/* Where the body of the answer to request goes. The request's progress is left to the caller. */
void mt_fetch_request(struct mt_fetch *fetch, struct mt_http_request *request);
void mt_fetch_progress(const struct mt_fetch *fetch, int64_t done_bytes, int64_t total_bytes);
/* True: it is all there, and is to be stored. */
bool mt_fetch_came(struct mt_fetch *fetch, enum mt_rc rc, const struct mt_http_response *response);
/* On the pool: gives it its name, or throws it away. */
void mt_fetch_store(struct mt_fetch *fetch);
/* What came of that: download.size, file.exists, or a fault of the file system. */
enum mt_rc mt_fetch_stored(const struct mt_fetch *fetch, struct mt_fault *fault) MT_CHECKED;
/* Tells the caller. */
void mt_fetch_finish(struct mt_fetch *fetch, enum mt_rc rc, const struct mt_fault *fault);

/* A body's member that is a text without NUL, and not empty. */
const char *mt_fetch_text(const struct mt_value *body, const char *key);

#endif
