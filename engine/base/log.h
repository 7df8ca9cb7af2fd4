/* The log: one JSON object a line on standard error, or plain text for people. The writer, not the
 * caller, keeps secrets out (see secret.h). Log state and seam state are the only mutable globals
 * of the engine. */
#ifndef MT_BASE_LOG_H
#define MT_BASE_LOG_H

#include "base/rc.h"

#include <stddef.h>

enum mt_log_level { MT_LOG_ERROR, MT_LOG_WARN, MT_LOG_INFO, MT_LOG_DEBUG, MT_LOG_TRACE };

/* area is the room or noun: "http", "archive", "script". One line; control characters are escaped.
 */
void mt_log(enum mt_log_level level, const char *area, const char *fmt, ...) MT_PRINTF(3, 4);
void mt_log_level_set(enum mt_log_level level);
enum mt_log_level mt_log_level_get(void);
/* The same, with what a program wants to know beside the text, which says it too: plain lines leave
 * the fields out. A field without a value is left out; of the others MT_LOG_FIELDS at most. */
struct mt_log_field {
    const char *key; /* a word of the caller's own */
    const char *value;
};
#define MT_LOG_FIELDS 8
void mt_log_with(enum mt_log_level level, const char *area, const struct mt_log_field *fields,
                 size_t n, const char *fmt, ...) MT_PRINTF(5, 6);
/* json false (default): "warn http: text"; true:
 * {"ts":"…","level":"warn","room":"http","message":"text","fields":{"job":"nightly"}}. */
void mt_log_format_set(bool json);
bool mt_log_format_get(void);
/* Where lines go; NULL restores standard error. The sink gets a complete line without newline. */
void mt_log_sink_set(void (*sink)(void *ud, enum mt_log_level level, const char *line), void *ud);

#endif
