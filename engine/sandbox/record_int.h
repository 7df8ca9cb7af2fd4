/* Private to the sandbox. The log of what clients sent, for tests that compare requests field by
 * field. */
#ifndef MT_SANDBOX_RECORD_INT_H
#define MT_SANDBOX_RECORD_INT_H

#include "base/buf.h"
#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_ws_request;
struct mt_sb_record;

#define MT_SB_RECORD_MAX       10000
#define MT_SB_RECORD_BODY_MAX  ((size_t)64 * 1024) /* longer bodies are cut */
#define MT_SB_RECORD_BYTES_MAX ((size_t)48 * 1024 * 1024)

struct mt_sb_record *mt_sb_record_new(void);
void mt_sb_record_free(struct mt_sb_record *record);
void mt_sb_record_reset(struct mt_sb_record *record);
/* The oldest entries go when there are too many. A failed allocation loses the entry. */
void mt_sb_record_http(struct mt_sb_record *record, const struct mt_ws_request *request,
                       int64_t now_ms);
/* channel: "ws", "sockjs" or "rongcloud". */
void mt_sb_record_frame(struct mt_sb_record *record, bool up, const char *channel, const char *user,
                        const void *p, size_t len, int64_t now_ms);
/* A WebSocket was opened, where what is asked for stands in its address. */
void mt_sb_record_open(struct mt_sb_record *record, const char *channel, const char *path,
                       const char *query, int64_t now_ms);
/* Appends the JSON array. */
void mt_sb_record_print(const struct mt_sb_record *record, struct mt_buf *out);

#endif
