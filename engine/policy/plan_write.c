/* Writing a plan: lines go out in blocks, so that memory does not grow with the plan. The file has
 * a name of its own only when all of it is on the disk. */
#include "policy/plan_int.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HEAD_MAX      ((size_t)4 << 20)
#define PLAN_PATH_MAX 4096
#define DIR_ROOM      100 /* for a name in it */
#define TRIES         8
#define LEFT_OVER     ".plan-"
#define LEFT_ENDING   ".tmp"

struct mt_plan_writer {
    struct mt_arena *strings;
    struct mt_plan_head head;
    char *dir;
    char path[PLAN_PATH_MAX]; /* while it has no name */
    int fd;
    struct mt_buf out;
    struct mt_sha256 *file, *scratch;
    struct mt_map *done;                       /* conversations that were ended */
    char conversation[MT_CONVERSATION_ID_MAX]; /* that is being written; "": none */
    struct mt_plan_count count;                /* of it */
    struct mt_plan_sum sum;
    enum mt_rc failed; /* nothing more can be written */
    struct mt_fault fault;
};

static enum mt_rc nomem(struct mt_fault *fault)
{
    (void)mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    return MT_ERR_NOMEM;
}

static void writer_free(struct mt_plan_writer *w)
{
    if (w->fd >= 0)
        mt_fs_close(w->fd);
    if (w->path[0])
        mt_fs_unlink(w->path);
    mt_map_free(w->done, NULL);
    mt_buf_deinit(&w->out);
    mt_sha256_free(w->file);
    mt_sha256_free(w->scratch);
    mt_arena_free(w->strings);
    mt_mem_free(w);
}

/* The first failure stays: half a plan must not get an end. */
static enum mt_rc fail(struct mt_plan_writer *w, enum mt_rc rc, const struct mt_fault *fault)
{
    if (rc && !w->failed) {
        w->failed = rc;
        if (fault)
            w->fault = *fault;
        else
            mt_fault_set(&w->fault, rc, "plan.write", "the plan cannot be written: %s",
                         mt_rc_name(rc));
    }
    return rc;
}

static enum mt_rc refuse(const struct mt_plan_writer *w, struct mt_fault *fault)
{
    if (fault)
        *fault = w->fault;
    return w->failed;
}

/* ---------------------------------------------------------------- the file */

/* What a run that died left behind, once it is too old to be anybody's. */
static void sweep(const char *dir)
{
    int64_t before_ms = mt_clock_wall_ms() - MT_PLAN_AGE_MAX_MS;
    char **names = NULL;
    size_t n = 0;

    if (mt_fs_list(dir, &names, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        char path[PLAN_PATH_MAX];
        struct mt_fs_stat st;
        int len = snprintf(path, sizeof path, "%s/%s", dir, names[i]);

        if (mt_str_starts(names[i], LEFT_OVER) && mt_str_ends(names[i], LEFT_ENDING) && len > 0 &&
            (size_t)len < sizeof path && !mt_fs_stat(path, &st) && st.is_file &&
            st.mtime_ms < before_ms)
            mt_fs_unlink(path);
    }
    mt_mem_free(names);
}

static enum mt_rc path_too_long(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_INVALID, "plan.path",
                        "the path of the folder for plans is too long: choose a shorter one");
}

static enum mt_rc create(struct mt_plan_writer *w, struct mt_fault *fault)
{
    int err = 0;

    if (strlen(w->dir) + DIR_ROOM > PLAN_PATH_MAX)
        return path_too_long(fault);
    err = mt_fs_mkdirs(w->dir);
    if (err)
        return mt_fs_fault(fault, err, "make", w->dir);
    sweep(w->dir);
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t number = 0;

        mt_rand_bytes(&number, sizeof number);
        snprintf(w->path, sizeof w->path, "%s/" LEFT_OVER "%016llx" LEFT_ENDING, w->dir,
                 (unsigned long long)number);
        err = mt_fs_open(w->path, MT_FS_WRITE | MT_FS_CREATE | MT_FS_EXCL, &w->fd);
        if (err != EEXIST)
            break;
    }
    if (!err)
        return MT_OK;
    mt_fs_fault(fault, err, "make", w->path);
    w->fd = -1;
    w->path[0] = '\0'; /* it is not ours to remove */
    return fault ? fault->kind : MT_ERR_IO;
}

static enum mt_rc flush(struct mt_plan_writer *w, struct mt_fault *fault)
{
    int err = 0;

    if (w->out.failed)
        return fail(w, w->out.failed, NULL);
    mt_sha256_update(w->file, w->out.data, w->out.len);
    if (w->out.len)
        err = mt_fs_write(w->fd, w->out.data, w->out.len);
    mt_buf_reset(&w->out);
    if (!err)
        return MT_OK;
    mt_fs_fault(&w->fault, err, "write", w->path);
    w->failed = w->fault.kind;
    return refuse(w, fault);
}

static enum mt_rc flush_if_full(struct mt_plan_writer *w, struct mt_fault *fault)
{
    if (!w->out.failed && w->out.len < MT_PLAN_BLOCK)
        return MT_OK;
    if (flush(w, fault))
        return refuse(w, fault);
    return MT_OK;
}

/* ---------------------------------------------------------------- the head */

static void put_str(struct mt_jsonw *j, const char *key, const char *value)
{
    mt_jsonw_key(j, key);
    mt_jsonw_str(j, value);
}

static void put_i64(struct mt_jsonw *j, const char *key, int64_t value)
{
    mt_jsonw_key(j, key);
    mt_jsonw_i64(j, value);
}

static void put_u64(struct mt_jsonw *j, const char *key, uint64_t value)
{
    mt_jsonw_key(j, key);
    mt_jsonw_u64(j, value);
}

static void put_head(struct mt_plan_writer *w)
{
    const struct mt_plan_head *h = &w->head;
    char at[MT_TIME_RFC3339_LEN];
    struct mt_jsonw j;

    mt_time_format(h->made_ms, at);
    mt_jsonw_init(&j, &w->out);
    mt_jsonw_object(&j);
    put_i64(&j, "v", 1);
    put_str(&j, "plan", "head");
    put_str(&j, "account", h->account);
    put_str(&j, "provider", h->provider);
    put_str(&j, "appkey", h->appkey);
    put_str(&j, "user", h->user);
    put_str(&j, "policy", h->policy);
    if (h->holds)
        put_str(&j, "holds", h->holds);
    put_i64(&j, "made", h->made_ms);
    put_str(&j, "at", at);
    mt_jsonw_object_end(&j);
    mt_buf_append_char(&w->out, '\n');
}

/* What JSON cannot say as it is would be read back as something else. */
static bool is_text(const char *s)
{
    return s && mt_str_utf8_valid(s, strlen(s));
}

static enum mt_rc copy_head(struct mt_plan_writer *w, const struct mt_plan_head *head,
                            struct mt_fault *fault)
{
    struct mt_plan_head *h = &w->head;

    if (!is_text(head->account) || !is_text(head->provider) || !is_text(head->appkey) ||
        !is_text(head->user) || !is_text(head->policy) || (head->holds && !is_text(head->holds)))
        return mt_fault_set(fault, MT_ERR_INVALID, "plan.head", "a plan's head must be UTF-8");
    h->made_ms = head->made_ms;
    h->account = mt_arena_strdup(w->strings, head->account);
    h->provider = mt_arena_strdup(w->strings, head->provider);
    h->appkey = mt_arena_strdup(w->strings, head->appkey);
    h->user = mt_arena_strdup(w->strings, head->user);
    h->policy = mt_arena_strdup(w->strings, head->policy);
    h->holds = head->holds ? mt_arena_strdup(w->strings, head->holds) : NULL;
    return h->account && h->provider && h->appkey && h->user && h->policy &&
                   (h->holds || !head->holds)
               ? MT_OK
               : nomem(fault);
}

enum mt_rc mt_plan_create(const char *dir, const struct mt_plan_head *head,
                          struct mt_plan_writer **out, struct mt_fault *fault)
{
    struct mt_plan_writer *w = mt_mem_calloc(1, sizeof *w);
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (!w)
        return nomem(fault);
    w->fd = -1;
    mt_buf_init(&w->out, MT_PLAN_LINE_MAX);
    w->strings = mt_arena_new(HEAD_MAX);
    w->file = mt_sha256_new();
    w->scratch = mt_sha256_new();
    w->done = mt_map_new();
    w->dir = w->strings ? mt_arena_strdup(w->strings, dir) : NULL;
    if (!w->file || !w->scratch || !w->done || !w->dir)
        rc = nomem(fault);
    if (!rc)
        rc = copy_head(w, head, fault);
    if (!rc)
        rc = create(w, fault);
    if (!rc) {
        put_head(w);
        rc = w->out.failed ? nomem(fault) : MT_OK;
    }
    if (rc) {
        writer_free(w);
        return rc;
    }
    *out = w;
    return MT_OK;
}

/* ---------------------------------------------------------------- conversations */

static enum mt_rc wrong_turn(const char *conversation, const char *why, struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_STATE, "plan.conversation", "%.120s %s", conversation, why);
}

/* Makes it the one that is being written. */
static enum mt_rc enter(struct mt_plan_writer *w, const char *conversation, struct mt_fault *fault)
{
    size_t len = strlen(conversation);

    if (!strcmp(w->conversation, conversation))
        return MT_OK;
    if (w->conversation[0])
        return wrong_turn(conversation, "begins before the conversation before it has ended",
                          fault);
    if (mt_map_get(w->done, conversation))
        return wrong_turn(conversation, "stands in the plan already", fault);
    if (!len || len >= sizeof w->conversation || !mt_str_utf8_valid(conversation, len))
        return mt_fault_set(fault, MT_ERR_INVALID, "plan.item", "this is no conversation");
    memcpy(w->conversation, conversation, len + 1);
    memset(&w->count, 0, sizeof w->count);
    return MT_OK;
}

static enum mt_rc put_item(struct mt_plan_writer *w, const struct mt_plan_item *item,
                           struct mt_fault *fault)
{
    struct mt_buf *out = &w->out;
    const struct mt_message_key *key = &item->key;
    char hex[2 * MT_PLAN_DIGEST_LEN + 1];

    if (!mt_id_is(key->id) || strlen(key->id) >= MT_ID_MAX ||
        !mt_str_utf8_valid(key->id, strlen(key->id)))
        return mt_fault_set(fault, MT_ERR_INVALID, "plan.item", "this is no message's id");
    mt_hex(item->digest, sizeof item->digest, hex);
    mt_buf_append_str(out, "{\"id\":");
    mt_json_write_str(out, key->id, strlen(key->id));
    mt_buf_append_str(out, ",\"time\":");
    mt_buf_append_i64(out, key->time_ms);
    mt_buf_append_str(out, key->sent ? ",\"sent\":true" : ",\"sent\":false");
    /* A sender who cannot be written is not known: a hold on a person then holds the message. */
    if (is_text(key->from) && strlen(key->from) <= MT_PLAN_FROM_MAX) {
        mt_buf_append_str(out, ",\"from\":");
        mt_json_write_str(out, key->from, strlen(key->from));
    }
    mt_buf_append_str(out, ",\"digest\":\"");
    mt_buf_append_str(out, hex);
    mt_buf_append_str(out, "\"}\n");
    mt_plan_sum_add(&w->sum, w->scratch, w->conversation, key->id);
    mt_plan_count_item(&w->count, key->time_ms);
    return flush_if_full(w, fault);
}

enum mt_rc mt_plan_conversation(struct mt_plan_writer *w, const char *conversation,
                                const struct mt_plan_item *items, size_t n, struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    if (w->failed)
        return refuse(w, fault);
    if (!n)
        return MT_OK;
    rc = enter(w, conversation, fault);
    if (!rc && !w->count.planned_n) {
        mt_buf_append_str(&w->out, "{\"conversation\":");
        mt_json_write_str(&w->out, conversation, strlen(conversation));
        mt_buf_append_str(&w->out, "}\n");
    }
    for (size_t i = 0; i < n && !rc; i++)
        rc = put_item(w, &items[i], fault);
    return fail(w, rc, fault);
}

static enum mt_rc check_held(const char *held, struct mt_fault *fault)
{
    struct mt_json *json = NULL;
    struct mt_fault why;
    enum mt_rc rc = mt_json_parse(held, strlen(held), MT_PLAN_LINE_MAX, &json, &why);
    bool object = mt_json_type(json) == MT_JSON_OBJECT && !strchr(held, '\n');

    mt_json_free(json);
    if (rc == MT_ERR_NOMEM)
        return nomem(fault);
    return object ? MT_OK
                  : mt_fault_set(fault, MT_ERR_INVALID, "plan.count",
                                 "what is held must be a JSON object");
}

static enum mt_rc check_count(const struct mt_plan_writer *w, const struct mt_plan_count *count,
                              struct mt_fault *fault)
{
    if (count->planned_n == w->count.planned_n && count->seen_n >= count->planned_n &&
        count->held_n <= count->seen_n - count->planned_n)
        return MT_OK;
    return mt_fault_set(fault, MT_ERR_INVALID, "plan.count",
                        "the counts of %.120s do not agree: %llu seen, %llu held, %llu planned, "
                        "%llu written",
                        w->conversation, (unsigned long long)count->seen_n,
                        (unsigned long long)count->held_n, (unsigned long long)count->planned_n,
                        (unsigned long long)w->count.planned_n);
}

static void put_count(struct mt_plan_writer *w, const char *held)
{
    struct mt_jsonw j;

    mt_jsonw_init(&j, &w->out);
    mt_jsonw_object(&j);
    put_str(&j, "conversation", w->conversation);
    put_u64(&j, "seen", w->count.seen_n);
    put_u64(&j, "planned", w->count.planned_n);
    put_u64(&j, "held", w->count.held_n);
    put_i64(&j, "oldest", w->count.oldest_ms);
    put_i64(&j, "newest", w->count.newest_ms);
    if (held) {
        mt_jsonw_key(&j, "holds");
        mt_jsonw_raw(&j, held, strlen(held));
    }
    mt_jsonw_object_end(&j);
    mt_buf_append_char(&w->out, '\n');
}

enum mt_rc mt_plan_conversation_end(struct mt_plan_writer *w, const char *conversation,
                                    const struct mt_plan_count *count, const char *held,
                                    struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    if (w->failed)
        return refuse(w, fault);
    rc = enter(w, conversation, fault);
    if (!rc)
        rc = check_count(w, count, fault);
    if (!rc && held)
        rc = check_held(held, fault);
    if (!rc && mt_map_put(w->done, conversation, w))
        rc = nomem(fault);
    if (!rc) {
        w->count.seen_n = count->seen_n;
        w->count.held_n = count->held_n;
        put_count(w, held);
        mt_plan_count_add(&w->sum.total, &w->count);
        w->sum.conversations_n++;
        w->conversation[0] = '\0';
        rc = flush_if_full(w, fault);
    }
    return fail(w, rc, fault);
}

/* ---------------------------------------------------------------- the end */

static enum mt_rc settle(struct mt_plan_writer *w, const char *path, struct mt_fault *fault)
{
    int err = mt_fs_fsync(w->fd);
    int close_err = mt_fs_close(w->fd);

    w->fd = -1;
    err = err ? err : close_err;
    if (!err)
        err = mt_fs_rename(w->path, path);
    if (err)
        return mt_fs_fault(fault, err, "write", path);
    w->path[0] = '\0';
    err = mt_fs_sync_dir(w->dir);
    return err ? mt_fs_fault(fault, err, "write", w->dir) : MT_OK;
}

enum mt_rc mt_plan_finish(struct mt_plan_writer *w, char *path, size_t path_cap,
                          char hash[MT_PLAN_HASH_MAX], struct mt_fault *fault)
{
    enum mt_rc rc = w->failed ? refuse(w, fault) : MT_OK;

    if (!rc && w->conversation[0])
        rc = wrong_turn(w->conversation, "has not ended", fault);
    mt_plan_hash_of(&w->head, &w->sum, w->scratch, hash);
    int len = snprintf(path, path_cap, "%s/%s.jsonl", w->dir, hash);
    if (!rc && (len < 0 || (size_t)len >= path_cap))
        rc = path_too_long(fault);
    if (!rc)
        rc = flush(w, fault);
    if (!rc) {
        mt_plan_put_end(&w->out, &w->sum, hash, w->file);
        rc = flush(w, fault);
    }
    if (rc && w->failed)
        refuse(w, fault);
    if (!rc)
        rc = settle(w, path, fault);
    writer_free(w);
    return rc;
}

void mt_plan_abandon(struct mt_plan_writer *w)
{
    if (w)
        writer_free(w);
}
