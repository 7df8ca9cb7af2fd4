/* gzip and zlib streams in memory: bounded when reading, because few bytes can say many. */
#ifndef MT_CODEC_GZIP_H
#define MT_CODEC_GZIP_H

#include "base/buf.h"

#include <stddef.h>

/* Appends what one gzip or zlib stream holds (which of the two is seen from its head) to out, at
 * most max_bytes. A stream that is cut or damaged, or that is followed by something else, is
 * MT_ERR_DAMAGED "gzip.damaged"; more than max_bytes is MT_ERR_LIMIT "gzip.too_large". out then
 * holds what it held before, or nothing when its own bound was reached. */
enum mt_rc mt_gzip_inflate(const void *p, size_t len, size_t max_bytes, struct mt_buf *out,
                           struct mt_fault *fault) MT_CHECKED;
/* Appends p as one gzip stream. The same bytes give the same stream. */
enum mt_rc mt_gzip_deflate(const void *p, size_t len, struct mt_buf *out,
                           struct mt_fault *fault) MT_CHECKED;

#endif
