/* What the files of this room share: the loop itself, and the translation of libuv's error numbers.
 */
#ifndef MT_LOOP_LOOP_INT_H
#define MT_LOOP_LOOP_INT_H

#include "loop/loop.h"

#include <uv.h>

struct loop_post;

struct mt_loop {
    uv_loop_t uv;
    uv_async_t wake; /* not referenced: an open door alone keeps nobody in the house */
    uv_mutex_t lock; /* guards first and last */
    struct loop_post *first;
    struct loop_post *last;
    unsigned requests_n; /* pool work and name lookups under way */
    bool stop;
};

enum mt_rc loop_rc(int uv_error);
/* Closes a handle whose memory is one mt_mem block that begins with it. */
void loop_close(uv_handle_t *handle);

#endif
