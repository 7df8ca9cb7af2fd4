/* The loop's life, its posts, and its fairness.
 *
 * A post is a node in a queue behind a mutex plus a wake-up through uv_async. The async handle is
 * not referenced, so the queue itself must keep the loop alive: mt_loop_run looks at it again
 * whenever libuv says that nothing is left. (Referencing the handle from the posting thread would
 * be a race inside libuv.) */
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop_int.h"

#include <sys/epoll.h>

struct loop_post {
    struct loop_post *next;
    void (*fn)(void *ud);
    void *ud;
};

enum { FREE_TURNS_MAX = 10000, EVENTS_MAX = 64 };

/* libuv 1.44 takes 1,024 events at a time and, as long as it gets so many, comes back for more up
 * to 48 times before it looks at a timer: when the ten thousand connections of a process are cut at
 * once, that is a tenth of a second. It asks through epoll_wait, whose name the program takes here:
 * given 64 at a time, it looks at its timers after each. Nothing else in the process calls it.
 * tests/unit/loop/test_fair.c is red with a libuv that asks in another way. */
int loop_epoll_wait(int fd, struct epoll_event *events, int max,
                    int timeout_ms) __asm__("epoll_wait");

int loop_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
    return epoll_pwait(fd, events, max < EVENTS_MAX ? max : EVENTS_MAX, timeout_ms, NULL);
}

enum mt_rc loop_rc(int uv_error)
{
    switch (uv_error) {
    case 0:
        return MT_OK;
    case UV_ENOMEM:
        return MT_ERR_NOMEM;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOSPC:
        return MT_ERR_LIMIT;
    case UV_EEXIST:
        return MT_ERR_EXISTS;
    case UV_EBADF:
    case UV_EINVAL:
    case UV_EPERM:
    case UV_ENAMETOOLONG:
        return MT_ERR_INVALID;
    default:
        return MT_ERR_STATE;
    }
}

static void on_closed(uv_handle_t *handle)
{
    mt_mem_free(handle);
}

void loop_close(uv_handle_t *handle)
{
    uv_close(handle, on_closed);
}

/* Runs what was queued when it was called; what is posted meanwhile waits for the next turn. */
static void run_posts(struct mt_loop *loop)
{
    uv_mutex_lock(&loop->lock);
    struct loop_post *post = loop->first;
    loop->first = NULL;
    loop->last = NULL;
    uv_mutex_unlock(&loop->lock);
    while (post) {
        struct loop_post *next = post->next;
        post->fn(post->ud);
        mt_mem_free(post);
        post = next;
    }
}

static bool has_posts(struct mt_loop *loop)
{
    uv_mutex_lock(&loop->lock);
    bool some = loop->first != NULL;
    uv_mutex_unlock(&loop->lock);
    return some;
}

static void on_wake(uv_async_t *wake)
{
    run_posts(wake->data);
}

enum mt_rc mt_loop_new(struct mt_loop **out)
{
    enum mt_rc rc = MT_OK;
    bool has_lock = false;
    bool has_uv = false;
    struct mt_loop *loop = mt_mem_calloc(1, sizeof *loop);
    if (!loop) {
        return MT_ERR_NOMEM;
    }
    rc = loop_rc(uv_mutex_init(&loop->lock));
    if (rc != MT_OK) {
        goto out;
    }
    has_lock = true;
    rc = loop_rc(uv_loop_init(&loop->uv));
    if (rc != MT_OK) {
        goto out;
    }
    has_uv = true;
    rc = loop_rc(uv_async_init(&loop->uv, &loop->wake, on_wake));
    if (rc != MT_OK) {
        goto out;
    }
    loop->wake.data = loop;
    uv_unref((uv_handle_t *)&loop->wake);
    *out = loop;
    loop = NULL;
out:
    if (loop) {
        if (has_uv) {
            (void)uv_loop_close(&loop->uv);
        }
        if (has_lock) {
            uv_mutex_destroy(&loop->lock);
        }
        mt_mem_free(loop);
    }
    return rc;
}

struct census {
    const uv_handle_t *own;
    bool report;
    unsigned left_n;
    unsigned closing_n;
};

static void count_handle(uv_handle_t *handle, void *ud)
{
    struct census *census = ud;
    if (handle == census->own) {
        return;
    }
    if (uv_is_closing(handle)) {
        census->closing_n++;
        return;
    }
    census->left_n++;
    if (census->report) {
        mt_log(MT_LOG_WARN, "loop", "left over: %s, %s", uv_handle_type_name(handle->type),
               uv_is_active(handle) ? "active" : "stopped");
    }
}

/* Lets closing handles, work, lookups and posts come to their end, without waiting for timers or
 * descriptors of others: those may never end by themselves. */
static void settle(struct mt_loop *loop)
{
    for (int turn = 0; turn < FREE_TURNS_MAX; turn++) {
        struct census census = {.own = (uv_handle_t *)&loop->wake};
        uv_walk(&loop->uv, count_handle, &census);
        if (loop->requests_n == 0 && census.closing_n == 0 && !has_posts(loop)) {
            return;
        }
        if (loop->requests_n > 0 && !has_posts(loop)) {
            turn = 0; /* a pool thread decides how long this takes */
            uv_run(&loop->uv, UV_RUN_ONCE);
        } else {
            uv_run(&loop->uv, UV_RUN_NOWAIT);
        }
        run_posts(loop);
    }
}

enum mt_rc mt_loop_free(struct mt_loop *loop)
{
    if (!loop) {
        return MT_OK;
    }
    settle(loop);
    struct census census = {.own = (uv_handle_t *)&loop->wake, .report = true};
    uv_walk(&loop->uv, count_handle, &census);
    if (census.left_n > 0) {
        return MT_ERR_STATE;
    }
    uv_close((uv_handle_t *)&loop->wake, NULL);
    /* A stop that came when nothing ran any more ends the first of these at once. */
    for (int turn = 0; turn < FREE_TURNS_MAX && uv_run(&loop->uv, UV_RUN_DEFAULT); turn++)
        continue;
    int err = uv_loop_close(&loop->uv);
    if (err != 0) {
        mt_log(MT_LOG_ERROR, "loop", "cannot close the loop: %s", uv_strerror(err));
        return MT_ERR_STATE;
    }
    uv_mutex_destroy(&loop->lock);
    mt_mem_free(loop);
    return MT_OK;
}

void mt_loop_run(struct mt_loop *loop)
{
    while (!loop->stop) {
        int alive = uv_run(&loop->uv, UV_RUN_DEFAULT);
        if (loop->stop) {
            break;
        }
        if (!alive && !has_posts(loop)) {
            break;
        }
        run_posts(loop);
    }
    loop->stop = false;
}

void mt_loop_stop(struct mt_loop *loop)
{
    loop->stop = true;
    uv_stop(&loop->uv);
}

void *mt_loop_native(struct mt_loop *loop)
{
    return &loop->uv;
}

bool mt_loop_turn(struct mt_loop *loop)
{
    int alive = uv_run(&loop->uv, UV_RUN_NOWAIT);
    if (!alive) {
        run_posts(loop); /* libuv does not poll for an unreferenced handle alone */
    }
    loop->stop = false;
    return uv_loop_alive(&loop->uv) != 0 || has_posts(loop);
}

enum mt_rc mt_loop_post(struct mt_loop *loop, void (*fn)(void *ud), void *ud)
{
    struct loop_post *post = mt_mem_alloc(sizeof *post);
    if (!post) {
        return MT_ERR_NOMEM;
    }
    *post = (struct loop_post){.fn = fn, .ud = ud};
    uv_mutex_lock(&loop->lock);
    bool was_empty = loop->first == NULL;
    if (loop->last) {
        loop->last->next = post;
    } else {
        loop->first = post;
    }
    loop->last = post;
    /* Under the lock: once it is released the loop may run the post and be freed by it. */
    if (was_empty) {
        (void)uv_async_send(&loop->wake);
    }
    uv_mutex_unlock(&loop->lock);
    return MT_OK;
}
