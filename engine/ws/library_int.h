/* A context of the library on a shared loop, from its making to its end, for both halves. Private
 * to the room. */
#ifndef MT_WS_LIBRARY_INT_H
#define MT_WS_LIBRARY_INT_H

#include "base/rc.h"

#include <libwebsockets.h>

struct mt_loop;

struct mt_ws_library {
    struct mt_loop *loop;
    struct lws_context *context;
    int pipe_fd; /* what wakes the context up, or -1 */
};

/* For every connection: no pings of the library's. Ours are in conn.c; and each timer of the
 * library is put into a list that is searched from its beginning, which ten thousand connections
 * make long. */
extern const lws_retry_bo_t mt_ws_no_pings;

/* Fills in the members of info that both halves need and are alike, and makes the context. The
 * library's log goes to ours. */
enum mt_rc mt_ws_library_open(struct mt_ws_library *library, struct mt_loop *loop,
                              struct lws_context_creation_info *info) MT_CHECKED;
/* Ends it in the one order that a shared loop allows: the first destroy closes the library's
 * handles, the loop turns until is_settled(ud) and their close callbacks have run, and the second
 * destroy frees the context and unloads the plugin. */
void mt_ws_library_close(struct mt_ws_library *library, bool (*is_settled)(void *ud), void *ud);

#endif
