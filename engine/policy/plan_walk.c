/* A walk through a plan: see plan_walk_int.h. Items are most of it and have one form only, so they
 * are read without a tree; whatever differs from what the writer writes is damage. */
#include "policy/plan_walk_int.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

static enum mt_rc damaged(const struct mt_plan_walk *walk, const char *what, struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_DAMAGED, "plan.damaged",
                        "the plan is damaged in line %llu: %s; make a new one",
                        (unsigned long long)walk->line_n, what);
}

static enum mt_rc nomem(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

enum mt_rc mt_plan_walk_init(struct mt_plan_walk *walk, mt_plan_source_fn *source, void *ud,
                             struct mt_fault *fault)
{
    memset(walk, 0, sizeof *walk);
    walk->source = source;
    walk->ud = ud;
    mt_buf_init(&walk->block, MT_PLAN_LINE_MAX + 2 * MT_PLAN_BLOCK);
    mt_buf_init(&walk->held, MT_PLAN_LINE_MAX);
    walk->file = mt_sha256_new();
    walk->scratch = mt_sha256_new();
    return walk->file && walk->scratch ? MT_OK : nomem(fault);
}

void mt_plan_walk_deinit(struct mt_plan_walk *walk)
{
    mt_buf_deinit(&walk->block);
    mt_buf_deinit(&walk->held);
    mt_sha256_free(walk->file);
    mt_sha256_free(walk->scratch);
    mt_json_free(walk->head_json);
    memset(walk, 0, sizeof *walk);
}

void mt_plan_walk_rewind(struct mt_plan_walk *walk)
{
    mt_buf_reset(&walk->block);
    mt_buf_reset(&walk->held);
    mt_sha256_reset(walk->file);
    mt_json_free(walk->head_json);
    walk->head_json = NULL;
    walk->used = 0;
    walk->at = 0;
    walk->line_n = 0;
    walk->conversation[0] = '\0';
    walk->inside = walk->ended = false;
    memset(&walk->running, 0, sizeof walk->running);
    memset(&walk->sum, 0, sizeof walk->sum);
}

/* ---------------------------------------------------------------- lines */

static enum mt_rc fill(struct mt_plan_walk *walk, size_t *got, struct mt_fault *fault)
{
    struct mt_buf *b = &walk->block;
    enum mt_rc rc = MT_OK;

    *got = 0;
    mt_buf_consume(b, walk->used);
    walk->used = 0;
    if (b->len > MT_PLAN_LINE_MAX)
        return damaged(walk, "it is longer than any line", fault);
    if (mt_buf_reserve(b, MT_PLAN_BLOCK))
        return nomem(fault);
    rc = walk->source(walk->ud, b->data + b->len, MT_PLAN_BLOCK, walk->at, got, fault);
    if (rc)
        return rc;
    b->len += *got;
    b->data[b->len] = '\0';
    walk->at += (int64_t)*got;
    return MT_OK;
}

/* The next line without its newline; valid until the next. NULL: there is no more. */
static enum mt_rc next_line(struct mt_plan_walk *walk, char **line, size_t *len,
                            struct mt_fault *fault)
{
    size_t looked = walk->used;
    size_t got = 1;

    *line = NULL;
    walk->line_n++;
    while (got) {
        struct mt_buf *b = &walk->block;
        char *newline = b->len > looked ? memchr(b->data + looked, '\n', b->len - looked) : NULL;

        if (newline) {
            *line = b->data + walk->used;
            *len = (size_t)(newline - *line);
            walk->used += *len + 1;
            return MT_OK;
        }
        looked = b->len - walk->used;
        enum mt_rc rc = fill(walk, &got, fault);
        if (rc)
            return rc;
    }
    return walk->block.len > walk->used ? damaged(walk, "it was cut off", fault) : MT_OK;
}

/* ---------------------------------------------------------------- an item */

struct cursor {
    const char *at, *end;
    struct mt_arena *strings;
    bool bad, short_of_memory;
};

static bool literal(struct cursor *c, const char *text)
{
    size_t len = strlen(text);

    if (c->bad || (size_t)(c->end - c->at) < len || memcmp(c->at, text, len) != 0)
        return false;
    c->at += len;
    return true;
}

static void want(struct cursor *c, const char *text)
{
    c->bad = !literal(c, text) || c->bad;
}

static const char *unescaped(struct cursor *c, const char *text, size_t len)
{
    struct mt_json *json = NULL;
    enum mt_rc rc = mt_json_parse(text, len, MT_PLAN_LINE_MAX, &json, NULL);
    const char *value = mt_json_str(json);
    const char *copy = value ? mt_arena_strdup(c->strings, value) : NULL;

    c->short_of_memory = c->short_of_memory || rc == MT_ERR_NOMEM || (value && !copy);
    c->bad = c->bad || !copy;
    mt_json_free(json);
    return copy;
}

static const char *text_of(struct cursor *c, size_t max)
{
    const char *start = c->at;
    const char *p = start + 1;
    bool escaped = false;

    if (c->bad || start == c->end || *start != '"') {
        c->bad = true;
        return NULL;
    }
    while (p < c->end && *p != '"' && (unsigned char)*p >= 0x20) {
        escaped = escaped || *p == '\\';
        p += *p == '\\' && p + 1 < c->end ? 2 : 1;
    }
    size_t len = (size_t)(p - start) - 1;
    if (p >= c->end || *p != '"' || !mt_str_utf8_valid(start + 1, len)) {
        c->bad = true;
        return NULL;
    }
    c->at = p + 1;
    const char *text = NULL;
    if (escaped) {
        text = unescaped(c, start, len + 2);
    } else {
        text = mt_arena_strndup(c->strings, start + 1, len);
        c->short_of_memory = c->short_of_memory || !text;
    }
    c->bad = c->bad || !text || strlen(text) > max;
    return c->bad ? NULL : text;
}

static int64_t number_of(struct cursor *c)
{
    char digits[24];
    size_t n = 0;
    int64_t value = 0;

    while (c->at + n < c->end && n + 1 < sizeof digits &&
           ((c->at[n] >= '0' && c->at[n] <= '9') || (!n && c->at[n] == '-')))
        n++;
    memcpy(digits, c->at, n);
    digits[n] = '\0';
    c->at += n;
    c->bad = c->bad || !mt_str_i64(digits, &value);
    return value;
}

static unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

static void digest_of(struct cursor *c, uint8_t out[MT_PLAN_DIGEST_LEN])
{
    if (c->bad || (size_t)(c->end - c->at) < (size_t)2 * MT_PLAN_DIGEST_LEN) {
        c->bad = true;
        return;
    }
    for (size_t i = 0; i < MT_PLAN_DIGEST_LEN; i++) {
        unsigned high = hex_digit(*c->at++);
        unsigned low = hex_digit(*c->at++);
        c->bad = c->bad || high > 15 || low > 15;
        out[i] = (uint8_t)(high << 4 | low);
    }
}

static enum mt_rc take_item(struct mt_plan_walk *walk, const char *line, size_t len,
                            struct mt_fault *fault)
{
    struct cursor c = {.at = line, .end = line + len, .strings = walk->strings};
    struct mt_message_key *key = &walk->item.key;

    memset(&walk->item, 0, sizeof walk->item);
    want(&c, "{\"id\":");
    key->id = text_of(&c, MT_ID_MAX - 1);
    want(&c, ",\"time\":");
    key->time_ms = number_of(&c);
    key->sent = literal(&c, ",\"sent\":true");
    if (!key->sent)
        want(&c, ",\"sent\":false");
    if (literal(&c, ",\"from\":"))
        key->from = text_of(&c, MT_PLAN_FROM_MAX);
    want(&c, ",\"digest\":\"");
    digest_of(&c, walk->item.digest);
    want(&c, "\"}");
    if (c.short_of_memory)
        return nomem(fault);
    if (c.bad || c.at != c.end || !mt_id_is(key->id))
        return damaged(walk, "it is no message", fault);
    if (!walk->inside)
        return damaged(walk, "it stands in no conversation", fault);
    mt_plan_sum_add(&walk->sum, walk->scratch, walk->conversation, key->id);
    mt_plan_count_item(&walk->running, key->time_ms);
    return MT_OK;
}

/* ---------------------------------------------------------------- the other lines */

static const char *str_of(const struct mt_json *object, const char *key)
{
    const struct mt_json *value = mt_json_get(object, key);
    return mt_json_type(value) == MT_JSON_STRING ? mt_json_str(value) : NULL;
}

static enum mt_rc take_head(struct mt_plan_walk *walk, const char *line, size_t len,
                            struct mt_fault *fault)
{
    struct mt_plan_head *h = &walk->head;
    const char *what = NULL;

    if (mt_json_parse(line, len, MT_PLAN_LINE_MAX, &walk->head_json, NULL) == MT_ERR_NOMEM)
        return nomem(fault);
    what = str_of(walk->head_json, "plan");
    if (!what || strcmp(what, "head") != 0)
        return damaged(walk, "this is no plan", fault);
    if (mt_json_i64(mt_json_get(walk->head_json, "v"), 0) != 1)
        return damaged(walk, "it is of another version", fault);
    h->account = str_of(walk->head_json, "account");
    h->provider = str_of(walk->head_json, "provider");
    h->appkey = str_of(walk->head_json, "appkey");
    h->user = str_of(walk->head_json, "user");
    h->policy = str_of(walk->head_json, "policy");
    h->holds = str_of(walk->head_json, "holds");
    h->made_ms = mt_json_i64(mt_json_get(walk->head_json, "made"), -1);
    if (!h->account || !h->provider || !h->appkey || !h->user || !h->policy || h->made_ms < 0 ||
        (mt_json_get(walk->head_json, "holds") && !h->holds))
        return damaged(walk, "its head is not whole", fault);
    return MT_OK;
}

/* An object that can be skipped over: the end of a conversation that has no count. */
static bool take_count(const struct mt_json *object, struct mt_plan_count *count)
{
    count->oldest_ms = mt_json_i64(mt_json_get(object, "oldest"), INT64_MIN);
    count->newest_ms = mt_json_i64(mt_json_get(object, "newest"), INT64_MIN);
    return mt_json_u64(mt_json_get(object, "seen"), &count->seen_n) &&
           mt_json_u64(mt_json_get(object, "planned"), &count->planned_n) &&
           mt_json_u64(mt_json_get(object, "held"), &count->held_n);
}

static enum mt_rc take_begin(struct mt_plan_walk *walk, const char *name, struct mt_fault *fault)
{
    if (walk->inside)
        return damaged(walk, "the conversation before it has no end", fault);
    memcpy(walk->conversation, name, strlen(name) + 1);
    memset(&walk->running, 0, sizeof walk->running);
    walk->inside = true;
    return MT_OK;
}

static enum mt_rc take_end_of(struct mt_plan_walk *walk, const struct mt_json *object,
                              const char *name, struct mt_fault *fault)
{
    const struct mt_plan_count *r = &walk->running;
    const struct mt_json *held = mt_json_get(object, "holds");
    struct mt_plan_count *c = &walk->count;

    if (!walk->inside) { /* nothing of it is planned */
        memcpy(walk->conversation, name, strlen(name) + 1);
        memset(&walk->running, 0, sizeof walk->running);
    } else if (strcmp(name, walk->conversation) != 0 || !r->planned_n) {
        return damaged(walk, "it ends another conversation", fault);
    }
    if (!take_count(object, c) || c->planned_n != r->planned_n || c->oldest_ms != r->oldest_ms ||
        c->newest_ms != r->newest_ms || c->seen_n < c->planned_n ||
        c->held_n > c->seen_n - c->planned_n)
        return damaged(walk, "its counts are not those of its messages", fault);
    mt_buf_reset(&walk->held);
    if (held && mt_json_type(held) != MT_JSON_OBJECT)
        return damaged(walk, "what is held is not said", fault);
    if (held && mt_json_print(held, &walk->held))
        return nomem(fault);
    if (walk->seen && mt_map_get(walk->seen, name))
        return damaged(walk, "the conversation comes twice", fault);
    if (walk->seen && mt_map_put(walk->seen, name, walk))
        return nomem(fault);
    mt_plan_count_add(&walk->sum.total, c);
    walk->sum.conversations_n++;
    walk->inside = false;
    return MT_OK;
}

static enum mt_rc take_conversation(struct mt_plan_walk *walk, const char *line, size_t len,
                                    enum mt_plan_event *event, struct mt_fault *fault)
{
    struct mt_json *object = NULL;
    enum mt_rc rc = mt_json_parse(line, len, MT_PLAN_LINE_MAX, &object, NULL);
    const char *name = str_of(object, "conversation");
    bool ends = mt_json_get(object, "seen") != NULL;

    if (rc == MT_ERR_NOMEM)
        return nomem(fault);
    *event = ends ? MT_PLAN_COUNTED : MT_PLAN_BEGIN;
    if (rc || !name || !*name || strlen(name) >= sizeof walk->conversation)
        rc = damaged(walk, "it is neither a message nor a conversation", fault);
    else
        rc = ends ? take_end_of(walk, object, name, fault) : take_begin(walk, name, fault);
    mt_json_free(object);
    return rc;
}

/* There is one way to write the last line, and nothing behind it. */
static enum mt_rc take_end(struct mt_plan_walk *walk, const char *line, size_t len,
                           struct mt_fault *fault)
{
    struct mt_buf right;
    char *more = NULL;
    size_t more_len = 0;
    enum mt_rc rc = MT_OK;

    if (walk->inside)
        return damaged(walk, "a conversation has no end", fault);
    mt_plan_hash_of(&walk->head, &walk->sum, walk->scratch, walk->hash);
    mt_buf_init(&right, MT_PLAN_LINE_MAX);
    mt_plan_put_end(&right, &walk->sum, walk->hash, walk->file);
    if (right.failed)
        rc = nomem(fault);
    else if (right.len != len + 1 || memcmp(right.data, line, len) != 0)
        rc = damaged(walk, "its sums are not those of the plan", fault);
    mt_buf_deinit(&right);
    if (!rc)
        rc = next_line(walk, &more, &more_len, fault);
    if (!rc && more)
        rc = damaged(walk, "it stands behind the end", fault);
    walk->ended = !rc;
    return rc;
}

enum mt_rc mt_plan_walk_next(struct mt_plan_walk *walk, enum mt_plan_event *event,
                             struct mt_fault *fault)
{
    char *line = NULL;
    size_t len = 0;
    enum mt_rc rc = next_line(walk, &line, &len, fault);

    if (rc)
        return rc;
    if (!line)
        return damaged(walk, "the plan has no end: it was cut off", fault);
    *event = MT_PLAN_END;
    if (walk->line_n > 1 && len > 7 && !memcmp(line, "{\"plan\"", 7))
        return take_end(walk, line, len, fault);
    mt_sha256_update(walk->file, line, len + 1);
    if (walk->line_n == 1) {
        *event = MT_PLAN_HEAD;
        return take_head(walk, line, len, fault);
    }
    if (len > 5 && !memcmp(line, "{\"id\"", 5)) {
        *event = MT_PLAN_ITEM;
        return take_item(walk, line, len, fault);
    }
    return take_conversation(walk, line, len, event, fault);
}
