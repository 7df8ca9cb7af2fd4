/* Watching descriptors of others. */
#include "base/mem.h"
#include "loop/loop_int.h"

struct mt_poll {
    uv_poll_t uv; /* first: closed by loop_close */
    void (*fn)(void *ud, int events, bool error);
    void *ud;
    int events;
};

static void on_poll(uv_poll_t *uv, int status, int uv_events)
{
    struct mt_poll *poll = (struct mt_poll *)uv;
    if (status < 0) {
        poll->events = 0; /* libuv has stopped watching */
    }
    int events = ((uv_events & UV_READABLE) ? MT_POLL_READ : 0) |
                 ((uv_events & UV_WRITABLE) ? MT_POLL_WRITE : 0);
    poll->fn(poll->ud, events, status < 0);
}

enum mt_rc mt_poll_new(struct mt_loop *loop, int fd, void (*fn)(void *ud, int events, bool error),
                       void *ud, struct mt_poll **out)
{
    struct mt_poll *poll = mt_mem_calloc(1, sizeof *poll);
    if (!poll) {
        return MT_ERR_NOMEM;
    }
    poll->fn = fn;
    poll->ud = ud;
    int err = uv_poll_init(&loop->uv, &poll->uv, fd);
    if (err != 0) {
        mt_mem_free(poll);
        return loop_rc(err);
    }
    *out = poll;
    return MT_OK;
}

void mt_poll_set(struct mt_poll *poll, int events)
{
    if (events == poll->events) {
        return; /* uv_poll_start costs two calls into the kernel even when nothing changes */
    }
    poll->events = events;
    if (events == 0) {
        (void)uv_poll_stop(&poll->uv);
        return;
    }
    int uv_events =
        ((events & MT_POLL_READ) ? UV_READABLE : 0) | ((events & MT_POLL_WRITE) ? UV_WRITABLE : 0);
    (void)uv_poll_start(&poll->uv, uv_events, on_poll);
}

void mt_poll_free(struct mt_poll *poll)
{
    if (poll) {
        loop_close((uv_handle_t *)&poll->uv);
    }
}

struct walk {
    void (*fn)(void *ud, int fd);
    void *ud;
};

static void tell_descriptor(uv_handle_t *handle, void *ud)
{
    const struct walk *walk = ud;
    uv_os_fd_t fd = -1;
    if (handle->type == UV_POLL && !uv_is_closing(handle) && uv_fileno(handle, &fd) == 0) {
        walk->fn(walk->ud, fd);
    }
}

void mt_loop_each_descriptor(struct mt_loop *loop, void (*fn)(void *ud, int fd), void *ud)
{
    struct walk walk = {.fn = fn, .ud = ud};
    uv_walk(&loop->uv, tell_descriptor, &walk);
}
