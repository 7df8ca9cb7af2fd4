/* The head of an HTTP/1.1 request, read strictly (RFC 9112): what two readers could understand
 * differently is refused. A pure function over a text in memory, so that it can be fuzzed. Private
 * to the room. */
#ifndef MT_WS_HEAD_INT_H
#define MT_WS_HEAD_INT_H

#include "ws/server.h"
#include <stdbool.h>

#include <stddef.h>
#include <stdint.h>

#define MT_WS_HEAD_BYTES   ((size_t)16 << 10) /* beyond it 431 */
#define MT_WS_TARGET_BYTES ((size_t)8 << 10)  /* path and query; beyond it 414 */
#define MT_WS_HEADERS_N    100                /* beyond it 431 */

struct mt_ws_head {
    const char *method;
    const char *path;          /* as received, without the query */
    const char *query;         /* as received, "" if none */
    const char *host;          /* "" if none (HTTP/1.0) */
    const char *authorization; /* "" if none, and so the others */
    const char *content_type;
    const char *ws_key; /* with upgrade, a well-formed one */
    const char *ws_version;
    const char *ws_protocol;
    uint64_t content_length;
    bool keep_alive;
    bool expects_continue;
    bool upgrade; /* asks to become a WebSocket */
    struct mt_ws_field fields[MT_WS_HEADERS_N];
    size_t fields_n;
};

/* Reads text[0 … len), which must end with the first empty line ("\r\n\r\n") and be followed by a
 * NUL; cuts it up in place, and head points into it. Returns 0, or the status to refuse with: 400,
 * 411 (a chunked body), 414, 417, 426 (another WebSocket version), 431, 501 (another transfer
 * coding, CONNECT), 505. */
int mt_ws_head_read(char *text, size_t len, struct mt_ws_head *head);

#endif
