/* The shared ground of the tests of engine/jobs: see ground.h. */
#include "ground.h"

#include "../../tools/folder.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const targets[GROUND_CONVS] = {"c0", "c1", "c2"};

/* ---------------------------------------------------------------- the cloud */

struct mt_provider_call {
    struct ground *ground;
    struct ground_conv *conv;
    struct mt_history_query query;
    char cursor[32];
    bool cancelled;
    void (*done)(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                 const struct mt_fault *fault);
    void *ud;
};

/* raw is "ID TIME FROM READ TEXT"; a message is always made from it. */
static enum mt_rc decode(const struct mt_provider_account *account, const void *raw, size_t len,
                         struct mt_arena *arena, struct mt_message *out)
{
    char *text = mt_arena_alloc(arena, len + 1);
    char *words[4] = {NULL};
    char *rest = text;

    (void)account;
    if (!text)
        return MT_ERR_LIMIT;
    memcpy(text, raw, len);
    text[len] = '\0';
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < 4; i++) {
        words[i] = rest;
        rest = strchr(rest, ' ');
        if (!rest)
            return MT_ERR_PROTOCOL;
        *rest++ = '\0';
    }
    out->id = words[0];
    out->time_ms = strtoll(words[1], NULL, 10);
    out->from = words[2];
    out->to = "me";
    out->kind_name = "text";
    out->text = rest;
    out->text_len = strlen(rest);
    out->body.type = out->ext.type = MT_VALUE_MAP;
    struct mt_field *read = mt_arena_calloc(arena, 1, sizeof *read);
    if (!read)
        return MT_ERR_LIMIT;
    read->key = "read";
    read->value.type = MT_VALUE_BOOL;
    read->value.b = words[3][0] == '1';
    out->extra.type = MT_VALUE_MAP;
    out->extra.fields = read;
    out->extra.fields_n = 1;
    return MT_OK;
}

static void put(const struct mt_provider_call *call, const struct ground_message *from,
                struct mt_message *out)
{
    char raw[200];
    int len = snprintf(raw, sizeof raw, "%" PRIu64 " %" PRId64 " %s %d %s", from->id, from->time_ms,
                       from->from, from->read, from->text);
    char *kept = mt_arena_strdup(call->query.arena, raw);

    assert_non_null(kept);
    assert_int_equal(decode(NULL, kept, (size_t)len, call->query.arena, out), MT_OK);
    out->raw = (const uint8_t *)kept;
    out->raw_len = (size_t)len;
    out->conversation = call->query.conversation;
}

static bool outside(const struct mt_provider_call *call, const struct ground_message *m)
{
    const struct mt_history_query *q = &call->query;
    uint64_t cursor = 0;

    if (call->cursor[0] && mt_str_u64(call->cursor, &cursor) &&
        m->id + (call->conv->repeats ? 2 : 0) <= cursor)
        return true;
    return m->gone || m->time_ms < q->since_ms || (q->until_ms && m->time_ms >= q->until_ms);
}

static void fill(const struct mt_provider_call *call, struct mt_history_page *page)
{
    const struct ground_conv *conv = call->conv;
    size_t limit = call->query.limit ? (size_t)call->query.limit : 50;
    struct mt_message *items = mt_arena_alloc(call->query.arena, limit * sizeof *items);
    char *cursor = mt_arena_alloc(call->query.arena, 32);

    assert_true(items && cursor);
    page->items = items;
    page->is_last = true;
    for (size_t k = 0; k < conv->n; k++) {
        const struct ground_message *m =
            &conv->messages[call->query.oldest_first ? k : conv->n - 1 - k];
        if (outside(call, m))
            continue;
        if (page->n == limit) {
            page->is_last = false;
            page->cursor = cursor;
            break;
        }
        put(call, m, &items[page->n++]);
        snprintf(cursor, 32, "%" PRIu64, m->id);
    }
}

static void answer(void *ud)
{
    struct mt_provider_call *call = ud;
    struct ground *g = call->ground;
    struct ground_conv *conv = call->conv;
    struct mt_history_page page;
    struct mt_fault fault;
    enum mt_rc rc = MT_OK;

    memset(&page, 0, sizeof page);
    if (call->cancelled)
        rc = mt_fault_set(&fault, MT_ERR_CANCELLED, "cancelled", "cancelled");
    else if (conv->fail_at && conv->requests >= conv->fail_at)
        rc = mt_fault_set(&fault, conv->fail_rc, "test.trouble", "the cloud is in trouble");
    else
        fill(call, &page);
    call->done(call->ud, rc, rc ? NULL : &page, rc ? &fault : NULL);
    mt_mem_free(call);
    if (g->answered)
        g->answered(g);
}

static enum mt_rc history(struct mt_provider_account *account, const struct mt_history_query *query,
                          void (*done)(void *ud, enum mt_rc rc, const struct mt_history_page *page,
                                       const struct mt_fault *fault),
                          void *ud, struct mt_provider_call **out)
{
    struct ground *g = (struct ground *)account;
    struct mt_provider_call *call = mt_mem_calloc(1, sizeof *call);

    assert_non_null(call);
    call->ground = g;
    call->query = *query;
    call->done = done;
    call->ud = ud;
    snprintf(call->cursor, sizeof call->cursor, "%s", query->cursor ? query->cursor : "");
    snprintf(g->cursor, sizeof g->cursor, "%s", call->cursor);
    g->since_ms = query->since_ms;
    for (unsigned i = 0; i < GROUND_CONVS; i++) {
        if (!strcmp(g->convs[i].target, query->conversation.target))
            call->conv = &g->convs[i];
    }
    assert_non_null(call->conv);
    call->conv->requests++;
    if (g->asked)
        g->asked(g);
    *out = call;
    return mt_loop_post(g->loop, answer, call);
}

static void cancel(struct mt_provider_call *call)
{
    call->cancelled = true;
}

static struct mt_can_answer can(const struct mt_provider_account *account,
                                enum mt_capability capability)
{
    (void)account;
    (void)capability;
    return (struct mt_can_answer){MT_CAN_YES, NULL};
}

static enum mt_rc normalise(const struct mt_provider_account *account,
                            struct mt_conversation_ref *ref, bool *changed, struct mt_fault *fault)
{
    (void)account;
    (void)ref;
    (void)fault;
    *changed = false;
    return MT_OK;
}

static bool cursor_after(const struct mt_provider_account *account, const struct mt_message *m,
                         char out[MT_CURSOR_MAX])
{
    (void)account;
    snprintf(out, MT_CURSOR_MAX, "%s", m->id);
    return true;
}

const struct mt_provider ground_provider = {.cursor_after = cursor_after,
                                            .name = "model",
                                            .history = history,
                                            .cancel = cancel,
                                            .can = can,
                                            .normalise = normalise,
                                            .decode = decode};

void ground_add(struct ground_conv *conv, const char *text)
{
    conv->messages = realloc(conv->messages, (conv->n + 1) * sizeof *conv->messages);
    assert_non_null(conv->messages);
    conv->messages[conv->n] =
        (struct ground_message){1000 + conv->n, GROUND_NOW_MS, "you", text, false, false};
    conv->n++;
}

void ground_fill(struct ground_conv *conv, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ground_add(conv, "hello");
        conv->messages[i].time_ms = GROUND_NOW_MS - (int64_t)(n - i) * GROUND_HOUR_MS;
        conv->messages[i].from = i % 2 ? "you" : "me";
    }
}

/* ---------------------------------------------------------------- archive and folder */

static int64_t now(void *ud)
{
    (void)ud;
    return GROUND_NOW_MS;
}

int ground_begin(void **state)
{
    struct mt_clock_seam clock = {.wall_ms = now};
    struct ground *g = calloc(1, sizeof *g);
    const char *base = getenv("TMPDIR");

    if (!g)
        return -1;
    mt_log_level_set(MT_LOG_ERROR);
    mt_clock_seam_set(&clock);
    snprintf(g->dir, sizeof g->dir, "%s/mt-jobs-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(g->dir) || mt_loop_new(&g->loop))
        return -1;
    for (unsigned i = 0; i < GROUND_CONVS; i++)
        g->convs[i].target = targets[i];
    *state = g;
    ground_open(g, NULL);
    return 0;
}

int ground_end(void **state)
{
    struct ground *g = *state;

    mt_fs_seam_set(NULL, NULL);
    if (g->writer)
        ground_close(g, true);
    if (mt_loop_free(g->loop))
        return -1;
    for (unsigned i = 0; i < GROUND_CONVS; i++)
        free(g->convs[i].messages);
    tests_remove(g->dir);
    free(g);
    mt_clock_seam_set(NULL);
    mt_log_level_set(MT_LOG_INFO);
    return 0;
}

static void opened(void *ud, enum mt_rc rc, struct mt_writer *writer, const struct mt_fault *fault)
{
    struct ground *g = ud;

    if (rc)
        fail_msg("%s: %s", fault->code, fault->message);
    g->writer = writer;
}

void ground_open(struct ground *g, const struct mt_archive_options *options)
{
    struct mt_archive_identity identity = {"model", "org#app", "me"};

    assert_int_equal(mt_writer_open(g->loop, g->dir, &identity, options, opened, g), MT_OK);
    mt_loop_run(g->loop);
    assert_non_null(g->writer);
}

static void closed(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct ground *g = ud;
    g->rc = rc;
    if (fault)
        g->fault = *fault;
}

void ground_close(struct ground *g, bool clean)
{
    g->rc = MT_ERR_STATE;
    mt_writer_close(g->writer, clean, closed, g);
    g->writer = NULL;
    mt_loop_run(g->loop);
}

/* ---------------------------------------------------------------- exports */

struct mt_export_options ground_options(unsigned i)
{
    struct mt_export_options options;

    memset(&options, 0, sizeof options);
    options.conversation.kind = MT_CONVERSATION_SINGLE;
    snprintf(options.conversation.target, sizeof options.conversation.target, "%s", targets[i]);
    options.parallel = 1;
    return options;
}

static void progress(void *ud, const struct mt_export_result *so_far)
{
    struct ground_run *run = ud;

    assert_int_equal(run->done_n, 0);
    assert_true(so_far->added_n >= run->result.added_n); /* only what is durable, and never less */
    run->result = *so_far;
}

static void done(void *ud, enum mt_rc rc, const struct mt_export_result *result,
                 const struct mt_fault *fault)
{
    struct ground_run *run = ud;

    run->done_n++;
    run->rc = rc;
    run->result = *result;
    assert_true((rc == MT_OK) == (fault == NULL));
    if (fault)
        run->fault = *fault;
}

void ground_start(struct ground *g, const struct mt_export_options *options, struct ground_run *run)
{
    struct mt_fault fault;

    memset(run, 0, sizeof *run);
    run->ground = g;
    assert_int_equal(mt_export_start(g->loop, &ground_provider, (struct mt_provider_account *)g,
                                     g->writer, options, progress, done, run, &run->export, &fault),
                     MT_OK);
    assert_int_equal(run->done_n, 0);
}

void ground_run(struct ground *g, const struct mt_export_options *options, struct ground_run *run)
{
    ground_start(g, options, run);
    mt_loop_run(g->loop);
    assert_int_equal(run->done_n, 1);
}

/* ---------------------------------------------------------------- looking */

struct look {
    struct ground *ground;
    unsigned conv;
    const char *text;
    unsigned n;
    unsigned *seen; /* how often each message of the cloud; NULL: text is counted */
    unsigned strangers;
};

static enum mt_rc look_line(void *ud, const char *line, size_t len)
{
    struct look *look = ud;
    const struct ground_conv *conv = &look->ground->convs[look->conv];
    char copy[2048];

    assert_true(len < sizeof copy);
    memcpy(copy, line, len);
    copy[len] = '\0';
    if (!look->seen) {
        look->n += strstr(copy, look->text) != NULL;
        return MT_OK;
    }
    if (strstr(copy, "\"type\":"))
        return MT_OK;
    for (size_t i = 0; i < conv->n; i++) {
        char id[40];
        snprintf(id, sizeof id, "\"id\":\"%" PRIu64 "\"", conv->messages[i].id);
        if (strstr(copy, id)) {
            look->seen[i]++;
            return MT_OK;
        }
    }
    look->strangers++;
    return MT_OK;
}

static void look_archive(void *ud, struct mt_archive *archive)
{
    struct look *look = ud;
    char name[64];
    struct mt_fault fault;

    snprintf(name, sizeof name, "single:%s", targets[look->conv]);
    if (mt_archive_state(archive, name))
        assert_int_equal(mt_archive_lines(archive, name, 0, 0, look_line, look, &fault), MT_OK);
}

static void looked(void *ud)
{
    (void)ud;
}

static void look(struct ground *g, struct look *look)
{
    assert_int_equal(mt_writer_run(g->writer, look_archive, looked, look), MT_OK);
    mt_loop_run(g->loop);
}

unsigned ground_count(struct ground *g, unsigned i, const char *text)
{
    struct look l = {.ground = g, .conv = i, .text = text};
    look(g, &l);
    return l.n;
}

void ground_same(struct ground *g, unsigned i)
{
    const struct ground_conv *conv = &g->convs[i];
    struct look l = {.ground = g, .conv = i, .seen = calloc(conv->n + 1, sizeof(unsigned))};

    assert_non_null(l.seen);
    look(g, &l);
    for (size_t k = 0; k < conv->n; k++) {
        if (l.seen[k] != 1)
            fail_msg("message %zu of %zu is in the archive %u times", k, conv->n, l.seen[k]);
    }
    assert_int_equal(l.strangers, 0);
    free(l.seen);
}

bool ground_complete(const struct ground *g, unsigned i)
{
    char name[64];

    snprintf(name, sizeof name, "single:%s", targets[i]);
    const struct mt_archive_state *state = mt_writer_state(g->writer, name);
    return state && state->complete;
}

enum mt_verify_verdict ground_verdict(const struct ground *g)
{
    struct mt_verify_report report;
    struct mt_fault fault;

    if (mt_archive_verify(g->dir, MT_VERIFY_READ_ALL, NULL, NULL, NULL, &report, &fault))
        fail_msg("%s: %s", fault.code, fault.message);
    return report.verdict;
}
