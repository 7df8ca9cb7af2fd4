/* What a hostile process of an isolated script may send: any bytes at all. It ends in a fault, or
 * in calls of functions that such a script may call; nothing is granted. */
#include "base/log.h"
#include "loop/loop.h"
#include "script/isolate_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_MAX ((size_t)32 << 10)
#define TURNS     16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void silent(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud;
    (void)level;
    (void)line;
}

static void printed(void *ud, const char *line, size_t len)
{
    (void)ud;
    (void)line;
    (void)len;
}

static enum mt_rc no_account(void *ud, const char **name, const struct mt_provider **provider,
                             struct mt_provider_account **account, struct mt_fault *fault)
{
    (void)ud;
    (void)name;
    (void)provider;
    (void)account;
    return mt_fault_set(fault, MT_ERR_NOT_FOUND, "account.none", "there is no account");
}

static enum mt_rc no_name(void *ud, size_t i, const char **name, struct mt_fault *fault)
{
    (void)ud;
    (void)i;
    (void)fault;
    *name = NULL;
    return MT_OK;
}

static bool take(struct mt_link *link, const struct mt_frame *frame, struct mt_fault *fault)
{
    (void)link;
    (void)frame;
    return mt_fault_set(fault, MT_ERR_PROTOCOL, "isolated.protocol", "no frame of both") == MT_OK;
}

static void over(struct mt_link *link, const struct mt_fault *fault)
{
    struct mt_fault gone;

    mt_fault_set(&gone, MT_ERR_STATE, "isolated.gone", "the script's process is gone");
    mt_link_lose(link, fault ? fault : &gone);
}

static void ended(void *ud, int status, const struct mt_fault *fault)
{
    (void)status;
    (void)fault;
    *(bool *)ud = true;
}

static int open_objects(lua_State *L)
{
    mt_object_open(L);
    return 0;
}

/* The script is gone then. */
static void feed(struct mt_script *script, struct mt_loop *loop, const uint8_t *data, size_t size)
{
    struct mt_link link = {
        .script = script, .handles = &mt_wire_of_parent, .take = take, .over = over};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
        abort();
    link.fd = ends[0];
    lua_pushcfunction(script->L, open_objects);
    if (mt_link_open(&link) || lua_pcall(script->L, 0, 0, 0) ||
        write(ends[1], data, size) != (ssize_t)size)
        abort();
    for (int i = 0; i < TURNS; i++)
        (void)mt_loop_turn(loop);
    close(ends[1]);
    over(&link, NULL);
    mt_script_cancel(script);
    mt_loop_run(loop);
    mt_script_free(script); /* what is collected then speaks to the link */
    mt_link_deinit(&link);
    close(ends[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_script_host host = {.print = printed, .resolve = no_account, .account_name = no_name};
    const struct mt_script_options options = {.name = "fuzz", .text = "", .memory_bytes = 16 << 20};
    struct mt_script *script = NULL;
    struct mt_loop *loop = NULL;
    struct mt_fault fault;
    bool done = false;

    if (!size || size > INPUT_MAX)
        return -1;
    mt_log_sink_set(silent, NULL);
    if (mt_loop_new(&loop))
        abort();
    host.loop = loop;
    if (mt_script_make(&host, &options, false, &script, &fault))
        abort();
    script->done = ended;
    script->ud = &done;
    feed(script, loop, data, size);
    if (mt_loop_free(loop))
        abort();
    return 0;
}
