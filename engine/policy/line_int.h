/* The lines of an archive, looked over without a tree: where the few members stand that a gate
 * asks about. Most of a line is its raw bytes, which are only passed. Private to the room. */
#ifndef MT_POLICY_LINE_INT_H
#define MT_POLICY_LINE_INT_H

#include "base/rc.h"

#include <stddef.h>

enum mt_line_member {
    MT_LINE_V,
    MT_LINE_TYPE,
    MT_LINE_ID,
    MT_LINE_TARGET,
    MT_LINE_CONVERSATION,
    MT_LINE_RAW,
    MT_LINE_SINCE,
    MT_LINE_UNTIL,
    MT_LINE_CLOSED,
    MT_LINE_MEMBERS_N
};

struct mt_line {
    struct {
        const char *p; /* as it stands there, a text with its quotes; NULL: it is not there */
        size_t len;
    } at[MT_LINE_MEMBERS_N];
};

/* DAMAGED: it is no object, or a member that is asked about stands there twice. */
enum mt_rc mt_line_scan(const char *text, size_t len, struct mt_line *line) MT_CHECKED;
/* Whether the member is exactly this, as it is written in JSON. */
bool mt_line_is(const struct mt_line *line, enum mt_line_member member, const char *json);
/* A whole number; false: it is none. */
bool mt_line_i64(const struct mt_line *line, enum mt_line_member member, int64_t *out);
/* A text without its quotes. One without escapes, as ids and base64 are, is not copied; otherwise
 * *owned is set, and freed by the caller with mt_mem_free. NULL: it is no text. */
enum mt_rc mt_line_text(const struct mt_line *line, enum mt_line_member member, const char **text,
                        size_t *len, char **owned) MT_CHECKED;

#endif
