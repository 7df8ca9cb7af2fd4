/* pullMsg: what is new for a user, from all conversations, in the order of time (rongcloud.md 4.2).
 * Nothing is queued: the threads are merged when asked. */
#include "sandbox/rongcloud/cloud_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sandbox/rongcloud/pb_int.h"

struct strand {
    const struct mt_sr_view *view;
    size_t at;
};

struct merge {
    struct mt_sr_ask *ask;
    struct strand *strands;
    size_t n;
    int64_t inbox_ms;
    int64_t sendbox_ms;
    bool with_sent;
    bool ultra; /* of ultra groups, and of nothing else */
};

/* Group messages of the owner that wait, by a bound on their time. */
static size_t waiting(const struct mt_sr_user *user, int64_t after_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < user->view_n; i++)
        n += user->views[i]->thread->n - mt_sr_thread_after(user->views[i]->thread, after_ms);
    return n;
}

/* What is older waits for nobody: the oldest are dropped when there are too many. */
static int64_t floor_ms(const struct mt_sr_cloud *cloud, const struct mt_sr_user *user,
                        int64_t asked_ms)
{
    int64_t now_ms = mt_clock_wall_ms();
    int64_t low = now_ms - cloud->options.offline_ms;
    int64_t high = now_ms + 1;
    if (asked_ms > low)
        low = asked_ms;
    if (waiting(user, low) <= (size_t)cloud->options.offline)
        return low;
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;
        if (waiting(user, mid) > (size_t)cloud->options.offline)
            low = mid;
        else
            high = mid;
    }
    return high;
}

static bool wanted(const struct merge *merge, const struct mt_sr_view *view,
                   const struct mt_sr_message *message)
{
    if (message->from == view->user->index) {
        if (!merge->with_sent || message->ts_ms <= merge->sendbox_ms)
            return false;
    } else if (message->ts_ms <= merge->inbox_ms || message->ts_ms <= view->joined_ms) {
        return false;
    }
    return mt_sr_visible(&merge->ask->cloud->store, view, message);
}

/* The strand's next message that is wanted; NULL at its end. */
static const struct mt_sr_message *peek(const struct merge *merge, struct strand *strand)
{
    const struct mt_sr_thread *thread = strand->view->thread;
    while (strand->at < thread->n) {
        const struct mt_sr_message *message = thread->messages[strand->at];
        if (wanted(merge, strand->view, message))
            return message;
        strand->at++;
    }
    return NULL;
}

static struct strand *earliest(const struct merge *merge)
{
    struct strand *best = NULL;
    const struct mt_sr_message *first = NULL;
    for (size_t i = 0; i < merge->n; i++) {
        const struct mt_sr_message *message = peek(merge, &merge->strands[i]);
        if (message == NULL ||
            (first != NULL && (message->ts_ms > first->ts_ms ||
                               (message->ts_ms == first->ts_ms && message->seq > first->seq))))
            continue;
        best = &merge->strands[i];
        first = message;
    }
    return best;
}

static enum mt_rc begin(struct merge *merge)
{
    const struct mt_sr_user *user = merge->ask->user;
    int64_t from_ms = merge->with_sent && merge->sendbox_ms < merge->inbox_ms ? merge->sendbox_ms
                                                                              : merge->inbox_ms;
    merge->strands = mt_mem_calloc(user->view_n + 1, sizeof *merge->strands);
    if (merge->strands == NULL)
        return MT_ERR_NOMEM;
    for (size_t i = 0; i < user->view_n; i++) {
        const struct mt_sr_view *view = user->views[i];
        enum mt_sr_type type = view->thread->type;
        size_t at = mt_sr_thread_after(view->thread, from_ms);
        if (at < view->thread->n && view->member && type != MT_SR_ROOM &&
            (type == MT_SR_ULTRA) == merge->ultra)
            merge->strands[merge->n++] = (struct strand){.view = view, .at = at};
    }
    return MT_OK;
}

static void put(struct merge *merge, const struct strand *strand,
                const struct mt_sr_message *message)
{
    struct mt_buf *out = &merge->ask->cloud->inner;
    size_t at = mt_sr_pb_begin(out, 1);
    mt_sr_message_write(&merge->ask->cloud->store, strand->view, message, out);
    mt_sr_pb_end(out, at);
}

/* A page ends between two times, never within one: what is asked next is what is newer. */
static void answer(struct merge *merge, int64_t asked_ms, bool compress)
{
    struct mt_sr_ask *ask = merge->ask;
    struct mt_sr_cloud *cloud = ask->cloud;
    enum mt_sr_trouble trouble = ask->pick.trouble;
    int64_t upto_ms = asked_ms;
    int64_t last_ms = 0;
    bool finished = false;
    mt_buf_reset(&cloud->inner);
    for (int64_t n = 0;; n++) {
        struct strand *strand = earliest(merge);
        finished = strand == NULL;
        if (finished)
            break;
        const struct mt_sr_message *message = strand->view->thread->messages[strand->at];
        if (n >= cloud->options.page && message->ts_ms > last_ms)
            break;
        put(merge, strand, message);
        if (cloud->options.pull_twice > 0 || (n == 0 && trouble == MT_SR_TROUBLE_DUPLICATE))
            put(merge, strand, message);
        strand->at++;
        last_ms = message->ts_ms;
    }
    if (last_ms > upto_ms && trouble != MT_SR_TROUBLE_STUCK)
        upto_ms = last_ms;
    if (upto_ms > cloud->store.told_ms && upto_ms <= mt_clock_wall_ms() + 60000)
        cloud->store.told_ms = upto_ms;
    mt_sr_pb_i64(&cloud->inner, 2, upto_ms);
    mt_sr_pb_u64(&cloud->inner, 3, finished);
    mt_sr_pb_i64(ask->out, 2, upto_ms);
    mt_sr_pb_u64(ask->out, 3, finished);
    mt_sr_answer_inner(ask, compress, 8, 9);
}

void mt_sr_do_pull(struct mt_sr_ask *ask)
{
    Rongcloud__SyncRequestMsg *in = rongcloud__sync_request_msg__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    struct merge merge = {
        .ask = ask,
        .inbox_ms = floor_ms(ask->cloud, ask->user, in->synctime),
        .with_sent = in->has_ispullsend && in->ispullsend,
    };
    merge.sendbox_ms = in->has_sendboxsynctime ? in->sendboxsynctime : 0;
    int64_t floor = floor_ms(ask->cloud, ask->user, 0);
    if (merge.sendbox_ms < floor)
        merge.sendbox_ms = floor;
    if (begin(&merge) != MT_OK)
        ask->status = MT_SR_SERVER;
    else
        answer(&merge, in->synctime, in->has_compressioenabled && in->compressioenabled);
    mt_mem_free(merge.strands);
    rongcloud__sync_request_msg__free_unpacked(in, NULL);
}

/* From 0 nothing comes but the time from which on to ask: older messages are in the list. What the
 * user's other devices sent comes too: on its echo the SDK only asks for news. */
void mt_sr_do_pull_ultra(struct mt_sr_ask *ask)
{
    Rongcloud__UltraGrpPullMsg *in = rongcloud__ultra_grp_pull_msg__unpack(NULL, ask->len, ask->p);
    struct merge merge = {.ask = ask, .ultra = true, .with_sent = true};
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    int64_t asked_ms = in->synctime > 0 ? in->synctime : mt_clock_wall_ms();
    if (asked_ms > ask->cloud->store.told_ms && asked_ms <= mt_clock_wall_ms())
        ask->cloud->store.told_ms = asked_ms;
    merge.inbox_ms = merge.sendbox_ms = asked_ms;
    if (begin(&merge) != MT_OK)
        ask->status = MT_SR_SERVER;
    else
        answer(&merge, asked_ms, in->has_compressioenabled && in->compressioenabled);
    mt_mem_free(merge.strands);
    rongcloud__ultra_grp_pull_msg__free_unpacked(in, NULL);
}
