/* What the cloud sends over a live session: any bytes are events, or end the connection. Two inputs
 * in one, cut at a NUL-NUL: what follows a batch matters, for batches are known by their ids. */
#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "loop/loop.h"
#include "provider/easemob/live_int.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)256 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct mt_provider_account account;
    struct mt_em_token token;
    struct mt_em_live *live;
    size_t events_n;
};

static void check(int holds)
{
    if (!holds)
        abort();
}

static void silent(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud;
    (void)level;
    (void)line;
}

static void take(void *ud, struct mt_event_batch *batch)
{
    struct world *world = ud;

    for (size_t i = 0; i < batch->n; i++) {
        const struct mt_event *event = &batch->events[i];
        check(event->type < MT_EVENT_TYPES_N);
        check(event->data.type != MT_VALUE_STR || event->data.s);
        if (event->type <= MT_EVENT_CONVERSATION_READ)
            check(event->message.from && event->message.kind_name && event->has_conversation);
        world->events_n++;
    }
    mt_em_live_done(&world->account, batch);
}

static void ended(void *ud, const struct mt_fault *fault)
{
    (void)ud;
    check(fault->message[0]);
}

static void never(void *ud)
{
    (void)ud;
}

static void world_init(struct world *world, struct mt_loop *loop)
{
    static char appkey[] = "easemob-demo#chatdemoui", user[] = "alice", name[] = "it";
    struct mt_em_live *live = mt_mem_calloc(1, sizeof *live);

    check(live != NULL);
    memset(world, 0, sizeof *world);
    world->account.refs = 2;
    world->account.loop = loop;
    world->account.appkey = appkey;
    world->account.user = user;
    world->account.name = name;
    world->account.decoder =
        (struct mt_em_decoder){.user = user, .appkey = appkey, .api = "https://a1.easemob.com"};
    world->account.decoder.scratch = mt_arena_new(MT_EM_SCRATCH_MAX);
    world->account.live = live;
    world->token.refs = 2;
    world->live = live;
    live->account = &world->account;
    live->token = &world->token;
    live->handlers = (struct mt_live_handlers){take, ended};
    live->ud = world;
    memcpy(live->device, "moontide", sizeof "moontide");
    check(!mt_timer_new(loop, never, NULL, &live->timer));
    check(!mt_timer_new(loop, never, NULL, &live->beat));
}

static void world_deinit(struct world *world)
{
    struct mt_em_live *live = world->live;

    check(!live->batches);
    mt_em_live_queues_free(live);
    mt_timer_free(live->timer);
    mt_timer_free(live->beat);
    mt_em_rooms_free(live);
    mt_mem_free(live->rooms);
    mt_mem_free(live->seen);
    mt_mem_free(live);
    mt_arena_free(world->account.decoder.scratch);
}

static void frame(struct world *world, enum mt_em_live_stage stage, const uint8_t *p, size_t len)
{
    world->live->stage = stage;
    mt_em_live_frame(world->live, p, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mt_loop *loop;
    struct world world;

    if (!size || size > INPUT_MAX)
        return 0;
    if (!loop) {
        mt_log_sink_set(silent, NULL);
        check(!mt_loop_new(&loop));
    }
    const uint8_t *cut = memmem(data + 1, size - 1, "\0\0", 2);
    enum mt_em_live_stage stage = data[0] & 1 ? MT_EM_LIVE_PROVISIONING : MT_EM_LIVE_ONLINE;
    size_t first = cut ? (size_t)(cut - data) - 1 : size - 1;

    world_init(&world, loop);
    frame(&world, stage, data + 1, first);
    if (cut)
        frame(&world, MT_EM_LIVE_ONLINE, cut + 2, size - first - 3);
    frame(&world, MT_EM_LIVE_ONLINE, data + 1, first);
    world_deinit(&world);
    (void)mt_loop_turn(loop);
    return 0;
}
