/* What RongCloud sends over a connection: any bytes are answers, events, or end it, and a frame
 * that is read is written again as it was. One connection takes several frames, cut at a
 * NUL-NUL-NUL: what follows matters, for answers and echoes are known by their ids. */
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "http/http.h"
#include "loop/loop.h"
#include "provider/rongcloud/frame_int.h"
#include "provider/rongcloud/live_int.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)256 << 10)
#define CALLS     4
#define TOKEN     "token@"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct mt_provider mt_provider_rongcloud;

struct world {
    struct mt_provider_account *account;
    size_t events_n, ended_n, answers_n;
};

struct asking {
    struct mt_rong_call call; /* first */
    struct world *world;
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
        check(event->data.type == MT_VALUE_MAP);
        if (event->type <= MT_EVENT_CONVERSATION_READ)
            check(event->message.from && event->message.kind_name);
        world->events_n++;
    }
    mt_provider_rongcloud.live->done(world->account, batch);
}

static void ended(void *ud, const struct mt_fault *fault)
{
    check(fault->message[0] && fault->code[0]);
    ((struct world *)ud)->ended_n++;
}

static void step(struct mt_provider_call *call)
{
    mt_call_wait(call);
}

static void answer(struct mt_provider_call *call, const struct mt_rong_answer *a,
                   const struct mt_fault *fault)
{
    check(a || fault);
    check(!fault || (fault->kind != MT_OK && fault->message[0]));
    check(!a || a->uid);
    ((struct asking *)call)->world->answers_n++;
    mt_call_end(call, fault ? fault->kind : MT_OK, fault);
}

static void finish(struct mt_provider_call *call, enum mt_rc rc, const struct mt_fault *fault)
{
    (void)call;
    check(rc == MT_OK || fault);
}

/* What is cancelled leaves the wire. */
static bool stop(struct mt_provider_call *life)
{
    struct mt_rong_call *call = (struct mt_rong_call *)life;
    struct mt_rong_call **at = &life->account->link.wire;

    if (!call->on_wire)
        return false;
    while (*at != call)
        at = &(*at)->next_on_wire;
    *at = call->next_on_wire;
    call->on_wire = false;
    (void)mt_call_drop(life);
    return false;
}

/* Requests with the ids 1 to 4 wait for their answers: two that read, two that change something. */
static void ask(struct world *world)
{
    struct mt_rong_link *link = &world->account->link;

    for (uint16_t i = 1; i <= CALLS; i++) {
        struct asking *asking = mt_mem_calloc(1, sizeof *asking);

        check(asking != NULL);
        asking->world = world;
        asking->call.verb = "fuzz";
        asking->call.life.step = step;
        asking->call.life.finish = finish;
        asking->call.life.stop = stop;
        asking->call.answer = answer;
        check(mt_call_start(&world->account->calls, &asking->call.life) == MT_OK);
        asking->call.id = i;
        asking->call.reads = i % 2;
        asking->call.publish = i > 2;
        asking->call.on_wire = true;
        asking->call.life.held++;
        asking->call.next_on_wire = link->wire;
        link->wire = &asking->call;
    }
}

static void write_again(const uint8_t *p, size_t len, unsigned version)
{
    struct mt_rong_frame frame, twice;
    struct mt_buf out;

    for (int side = MT_RONG_UP; side <= MT_RONG_DOWN; side++) {
        if (mt_rong_frame_parse(p, len, side, version, &frame))
            continue;
        mt_buf_init(&out, INPUT_MAX + 16);
        check(mt_rong_frame_pack(&frame, side, version, &out) == MT_OK);
        check(out.len <= len);
        check(out.len > 0 && (uint8_t)out.data[0] == p[0]);
        check(mt_rong_frame_parse(out.data, out.len, side, version, &twice) == MT_OK);
        check(twice.payload_len == frame.payload_len && twice.id == frame.id &&
              twice.status == frame.status && twice.topic.len == frame.topic.len);
        mt_buf_deinit(&out);
    }
}

/* Its navigator is one that nobody is asked at: plain http to another machine. */
static void world_init(struct world *world, struct mt_loop *loop, struct mt_http *http,
                       unsigned mode)
{
    static const char *const navigators[] = {"http://192.0.2.1", NULL};
    static const struct mt_live_handlers handlers = {take, ended};
    struct mt_secret *token = mt_secret_new(TOKEN, strlen(TOKEN));
    const struct mt_account_config config = {
        .name = "it", .appkey = "key", .user = "alice", .token = token, .navigators = navigators};
    struct mt_fault fault;

    memset(world, 0, sizeof *world);
    check(mt_provider_rongcloud.open(loop, http, &config, &world->account, &fault) == MT_OK);
    mt_secret_free(token);
    if (mode & 2)
        check(mt_provider_rongcloud.live->start(world->account,
                                                &(struct mt_live_options){.ws = NULL}, &handlers,
                                                world, &fault) == MT_OK);
    world->account->navi.version = mode & 4 ? 4 : 3;
    world->account->navi.direct = mode & 8;
    world->account->navi.ultra = mode & 16;
    world->account->link.stage = mode & 1 ? MT_RONG_GREETING : MT_RONG_ONLINE;
    if (!(mode & 1)) /* nobody is asked before the greeting */
        ask(world);
    if (mode & 32 && world->account->live) { /* its pulls wait for answers: the next ids */
        world->account->link.stage = MT_RONG_ONLINE;
        mt_rong_live_online(world->account);
    } else if (world->account->live) {
        world->account->live->announced = true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mt_loop *loop;
    static struct mt_http *http;
    struct world world;

    if (size < 2 || size > INPUT_MAX)
        return 0;
    if (!loop) {
        mt_log_sink_set(silent, NULL);
        check(!mt_loop_new(&loop) && !mt_http_new(loop, NULL, &http, NULL));
    }
    world_init(&world, loop, http, data[0]);
    for (const uint8_t *p = data + 1, *end = data + size; p < end;) {
        const uint8_t *cut = memmem(p, (size_t)(end - p), "\0\0\0", 3);
        size_t len = (size_t)((cut ? cut : end) - p);

        write_again(p, len, world.account->navi.version);
        mt_rong_frame_in(world.account, p, len);
        if (world.account->link.stage == MT_RONG_RESTING)
            world.account->link.stage = MT_RONG_ONLINE;
        p = cut ? cut + 3 : end;
    }
    mt_provider_rongcloud.close(world.account);
    for (int i = 0; i < 3; i++)
        (void)mt_loop_turn(loop);
    char token[] = TOKEN; /* one that nobody holds any more is not searched for */
    check(!mt_secret_redact(token, strlen(TOKEN)));
    return 0;
}
