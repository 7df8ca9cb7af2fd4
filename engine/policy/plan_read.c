/* Reading a plan: all of it once when it is opened, and again piece by piece. Whoever changes the
 * file meanwhile is found out at the next block, or at the end at the latest. */
#include "policy/plan_walk_int.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>

struct mt_plan {
    int fd;
    struct mt_fs_stat stat; /* as it was opened */
    struct mt_plan_walk walk;
    struct mt_arena *strings; /* of the items */
    struct mt_plan_item *items;
    size_t items_cap;
    struct mt_arena *head_strings;
    struct mt_plan_head head;
    struct mt_plan_count total;
    char hash[MT_PLAN_HASH_MAX];
    char conversation[MT_CONVERSATION_ID_MAX];
};

static enum mt_rc nomem(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

static enum mt_rc changed(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_DAMAGED, "plan.damaged",
                        "the plan was changed while it was read: make a new one");
}

static enum mt_rc source(void *ud, char *p, size_t cap, int64_t at, size_t *got,
                         struct mt_fault *fault)
{
    struct mt_plan *plan = ud;
    struct mt_fs_stat now;
    int err = mt_fs_pread(plan->fd, p, cap, at, got);

    if (!err)
        err = mt_fs_stat_fd(plan->fd, &now);
    if (err)
        return mt_fs_fault(fault, err, "read", "the plan");
    if (now.size_bytes != plan->stat.size_bytes || now.mtime_ms != plan->stat.mtime_ms)
        return changed(fault);
    return MT_OK;
}

void mt_plan_free(struct mt_plan *plan)
{
    if (!plan)
        return;
    if (plan->fd >= 0)
        mt_fs_close(plan->fd);
    mt_plan_walk_deinit(&plan->walk);
    mt_arena_free(plan->strings);
    mt_arena_free(plan->head_strings);
    mt_mem_free(plan->items);
    mt_mem_free(plan);
}

/* ---------------------------------------------------------------- opening */

static enum mt_rc copy_head(struct mt_plan *plan, const struct mt_plan_head *from,
                            struct mt_fault *fault)
{
    struct mt_arena *arena = plan->head_strings;
    struct mt_plan_head *h = &plan->head;

    h->made_ms = from->made_ms;
    h->account = mt_arena_strdup(arena, from->account);
    h->provider = mt_arena_strdup(arena, from->provider);
    h->appkey = mt_arena_strdup(arena, from->appkey);
    h->user = mt_arena_strdup(arena, from->user);
    h->policy = mt_arena_strdup(arena, from->policy);
    h->holds = from->holds ? mt_arena_strdup(arena, from->holds) : NULL;
    return h->account && h->provider && h->appkey && h->user && h->policy &&
                   (h->holds || !from->holds)
               ? MT_OK
               : nomem(fault);
}

static enum mt_rc check_age(const struct mt_plan *plan, int64_t now_ms, struct mt_fault *fault)
{
    int64_t made_ms = plan->head.made_ms;

    if (made_ms > now_ms)
        return mt_fault_set(fault, MT_ERR_STATE, "plan.stale",
                            "the plan is from the future: check the clock, or make a new one");
    if (now_ms - made_ms > MT_PLAN_AGE_MAX_MS)
        return mt_fault_set(fault, MT_ERR_STATE, "plan.stale",
                            "the plan is older than 24 hours, and the account has changed since: "
                            "make a new one");
    return MT_OK;
}

static enum mt_rc read_whole(struct mt_plan *plan, struct mt_fault *fault)
{
    enum mt_plan_event event = MT_PLAN_HEAD;
    enum mt_rc rc = MT_OK;

    plan->walk.seen = mt_map_new();
    if (!plan->walk.seen)
        return nomem(fault);
    while (!rc && !plan->walk.ended) {
        rc = mt_plan_walk_next(&plan->walk, &event, fault);
        if (!rc && event == MT_PLAN_HEAD)
            rc = copy_head(plan, &plan->walk.head, fault);
        if (event == MT_PLAN_ITEM)
            mt_arena_reset(plan->strings);
    }
    mt_map_free(plan->walk.seen, NULL);
    plan->walk.seen = NULL;
    return rc;
}

static enum mt_rc open_file(struct mt_plan *plan, const char *path, struct mt_fault *fault)
{
    int err = mt_fs_open(path, MT_FS_READ, &plan->fd);

    if (err) {
        plan->fd = -1;
        return err == ENOENT || err == ENOTDIR
                   ? mt_fault_set(fault, MT_ERR_NOT_FOUND, "plan.none",
                                  "there is no plan %.150s: a run without --apply makes one", path)
                   : mt_fs_fault(fault, err, "read", path);
    }
    err = mt_fs_stat_fd(plan->fd, &plan->stat);
    return err ? mt_fs_fault(fault, err, "read", path) : MT_OK;
}

enum mt_rc mt_plan_open(const char *path, int64_t now_ms, struct mt_plan **out,
                        struct mt_fault *fault)
{
    struct mt_plan *plan = mt_mem_calloc(1, sizeof *plan);
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (!plan)
        return nomem(fault);
    plan->fd = -1;
    rc = mt_plan_walk_init(&plan->walk, source, plan, fault);
    plan->strings = mt_arena_new(MT_PLAN_ARENA_MAX);
    plan->head_strings = mt_arena_new(2 * MT_PLAN_LINE_MAX);
    plan->walk.strings = plan->strings;
    if (!rc && (!plan->strings || !plan->head_strings))
        rc = nomem(fault);
    if (!rc)
        rc = open_file(plan, path, fault);
    if (!rc)
        rc = read_whole(plan, fault);
    if (!rc)
        rc = check_age(plan, now_ms, fault);
    if (rc) {
        mt_plan_free(plan);
        return rc;
    }
    plan->total = plan->walk.sum.total;
    memcpy(plan->hash, plan->walk.hash, sizeof plan->hash);
    mt_plan_rewind(plan);
    *out = plan;
    return MT_OK;
}

const struct mt_plan_head *mt_plan_head(const struct mt_plan *plan)
{
    return &plan->head;
}

const char *mt_plan_hash(const struct mt_plan *plan)
{
    return plan->hash;
}

const struct mt_plan_count *mt_plan_total(const struct mt_plan *plan)
{
    return &plan->total;
}

/* ---------------------------------------------------------------- its parts */

enum mt_rc mt_plan_each(struct mt_plan *plan, mt_plan_each_fn *each, void *ud,
                        struct mt_fault *fault)
{
    struct mt_plan_walk walk;
    struct mt_arena *strings = mt_arena_new(MT_PLAN_ARENA_MAX);
    enum mt_rc rc = mt_plan_walk_init(&walk, source, plan, fault);

    walk.strings = strings;
    if (!rc && !strings)
        rc = nomem(fault);
    while (!rc && !walk.ended) {
        enum mt_plan_event event = MT_PLAN_END;

        rc = mt_plan_walk_next(&walk, &event, fault);
        if (!rc && event == MT_PLAN_ITEM)
            mt_arena_reset(strings);
        if (!rc && event == MT_PLAN_COUNTED) {
            rc = each(ud, walk.conversation, &walk.count, walk.held.len ? walk.held.data : NULL);
            if (rc)
                mt_fault_set(fault, rc, "plan.each", "%s", mt_rc_name(rc));
        }
    }
    if (!rc && strcmp(walk.hash, plan->hash) != 0)
        rc = changed(fault);
    mt_plan_walk_deinit(&walk);
    mt_arena_free(strings);
    return rc;
}

void mt_plan_rewind(struct mt_plan *plan)
{
    mt_plan_walk_rewind(&plan->walk);
}

static enum mt_rc keep(struct mt_plan *plan, size_t n, struct mt_fault *fault)
{
    if (n == plan->items_cap) {
        size_t cap = plan->items_cap ? plan->items_cap * 2 : 256;
        struct mt_plan_item *items = mt_mem_realloc(plan->items, cap * sizeof *items);
        if (!items)
            return nomem(fault);
        plan->items = items;
        plan->items_cap = cap;
    }
    plan->items[n] = plan->walk.item;
    return MT_OK;
}

enum mt_rc mt_plan_next(struct mt_plan *plan, size_t max, const char **conversation,
                        const struct mt_plan_item **items, size_t *n, struct mt_fault *fault)
{
    struct mt_plan_walk *walk = &plan->walk;
    enum mt_plan_event event = MT_PLAN_HEAD;
    size_t got = 0;
    enum mt_rc rc = MT_OK;

    *n = 0;
    mt_arena_reset(plan->strings);
    while (!rc && !walk->ended && got < max && !(got && event == MT_PLAN_COUNTED)) {
        rc = mt_plan_walk_next(walk, &event, fault);
        if (!rc && event == MT_PLAN_ITEM)
            rc = keep(plan, got++, fault);
    }
    if (!rc && walk->ended && strcmp(walk->hash, plan->hash) != 0)
        rc = changed(fault);
    if (rc)
        return rc;
    memcpy(plan->conversation, walk->conversation, sizeof plan->conversation);
    *conversation = plan->conversation;
    *items = plan->items;
    *n = got;
    return MT_OK;
}
