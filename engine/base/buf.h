/* A byte buffer that grows up to a stated maximum. A failed append frees the content, marks the
 * buffer failed and makes every later append fail too, so a caller may check once at the end. data
 * is always NUL-terminated while len > 0 or the buffer was reserved. */
#ifndef MT_BASE_BUF_H
#define MT_BASE_BUF_H

#include "base/rc.h"

#include <stddef.h>

struct mt_buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max_bytes;
    enum mt_rc failed; /* MT_OK, MT_ERR_NOMEM or MT_ERR_LIMIT */
};

void mt_buf_init(struct mt_buf *buf, size_t max_bytes);
void mt_buf_deinit(struct mt_buf *buf);
void mt_buf_reset(struct mt_buf *buf); /* len 0, memory kept, failure forgotten */
enum mt_rc mt_buf_reserve(struct mt_buf *buf, size_t extra);
enum mt_rc mt_buf_append(struct mt_buf *buf, const void *p, size_t len);
enum mt_rc mt_buf_append_str(struct mt_buf *buf, const char *s);
enum mt_rc mt_buf_append_char(struct mt_buf *buf, char c);
enum mt_rc mt_buf_append_u64(struct mt_buf *buf, uint64_t n);
enum mt_rc mt_buf_append_i64(struct mt_buf *buf, int64_t n);
enum mt_rc mt_buf_appendf(struct mt_buf *buf, const char *fmt, ...) MT_PRINTF(2, 3);
/* Removes the first n bytes. */
void mt_buf_consume(struct mt_buf *buf, size_t n);
/* Hands the memory to the caller (mt_mem_free) and leaves the buffer empty. */
char *mt_buf_steal(struct mt_buf *buf, size_t *len);

#endif
