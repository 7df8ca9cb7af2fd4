/* Within codec: the strict scan that every JSON text passes before cJSON sees it. */
#ifndef MT_CODEC_JSON_INT_H
#define MT_CODEC_JSON_INT_H

#include "base/buf.h"

#include <stddef.h>

/* Values in one text. cJSON needs some 80 bytes for each, so this and not the text's size bounds
 * its memory. */
#define MT_JSON_MAX_VALUES 500000

/* First byte of a string that the scan put in: no string of the text can begin with it, because a
 * raw control character is refused and a string that begins with \u0001 gets one more in front. */
#define MT_JSON_MARK '\x01'

struct mt_json_scan {
    struct mt_buf *out;  /* the rewritten text; used only if edited */
    bool edited;         /* parse out instead of the text, then undo the marks */
    size_t error_offset; /* of the failure in the text */
};

/* Checks that text is exactly one JSON value. Writes to out a text in which
 *   - an integer literal of 16 or more digits is a string MT_JSON_MARK digits,
 *   - a string that begins with \u0001 has MT_JSON_MARK in front,
 *   - half a surrogate pair and \u0000 are \ufffd (cJSON refuses the one and ends the string at the
 * other), if there is any of these. PROTOCOL: not JSON; LIMIT: too deep or too many values; NOMEM.
 */
enum mt_rc mt_json_scan(const char *text, size_t len, struct mt_json_scan *scan);

#endif
