/* See library_int.h. */
#include "ws/library_int.h"

#include "base/buf.h"
#include "base/log.h"
#include "loop/loop.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define SETTLE_TURNS 1000
#define EXTRA_TURNS  8

const lws_retry_bo_t mt_ws_no_pings = {.secs_since_valid_ping = 0, .secs_since_valid_hangup = 0};

static void library_log(int level, const char *line)
{
    size_t len = strcspn(line, "\r\n");
    mt_log(level & LLL_ERR ? MT_LOG_DEBUG : MT_LOG_TRACE, "ws", "%.*s", (int)len, line);
}

/* The library sizes its tables by the limit when a context is made. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        mt_log(MT_LOG_DEBUG, "ws", "the limit of open files stays at its soft value");
}

struct search {
    struct mt_buf known; /* ints */
    int found;
};

static void remember(void *ud, int fd)
{
    struct search *search = ud;
    mt_buf_append(&search->known, &fd, sizeof fd);
}

static void look(void *ud, int fd)
{
    struct search *search = ud;

    for (size_t at = 0; at < search->known.len; at += sizeof fd)
        if (!memcmp(search->known.data + at, &fd, sizeof fd))
            return;
    search->found = fd;
}

enum mt_rc mt_ws_library_open(struct mt_ws_library *library, struct mt_loop *loop,
                              struct lws_context_creation_info *info)
{
    void *loops[1] = {mt_loop_native(loop)};
    struct search search = {.found = -1};

    lws_set_log_level(LLL_ERR | LLL_WARN, library_log);
    raise_descriptor_limit();
    info->foreign_loops = loops;
    info->gid = (gid_t)-1;
    info->uid = (uid_t)-1;
    info->options |= LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                     LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME;
    mt_buf_init(&search.known, (size_t)16 << 20);
    mt_loop_each_descriptor(loop, remember, &search);
    *library = (struct mt_ws_library){.loop = loop, .pipe_fd = -1};
    if (!search.known.failed)
        library->context = lws_create_context(info);
    if (library->context)
        mt_loop_each_descriptor(loop, look, &search);
    library->pipe_fd = search.found;
    mt_buf_deinit(&search.known);
    return library->context ? MT_OK : MT_ERR_IO;
}

/* libwebsockets 4.1 closes the descriptor that wakes a context up twice: in the first destroy, and
 * some turns later. In between another thread may have been given its number, for a file or a
 * socket that the second close would take away. So the number is taken at once, by something that
 * may be closed; what is left of the danger is the moment between the first close and this call. */
static void keep_number(int fd)
{
    int spare = fd < 0 ? -1 : eventfd(0, EFD_CLOEXEC);
    int got = spare < 0 ? -1 : fcntl(spare, F_DUPFD_CLOEXEC, fd);

    if (got >= 0 && got != fd)
        (void)close(got);
    if (spare >= 0 && spare != fd)
        (void)close(spare);
}

void mt_ws_library_close(struct mt_ws_library *library, bool (*is_settled)(void *ud), void *ud)
{
    if (!library->context)
        return;
    lws_context_destroy(library->context);
    keep_number(library->pipe_fd);
    for (int i = 0; i < SETTLE_TURNS && !is_settled(ud); i++)
        mt_loop_turn(library->loop);
    for (int i = 0; i < EXTRA_TURNS; i++)
        mt_loop_turn(library->loop);
    lws_context_destroy(library->context);
    library->context = NULL;
}
