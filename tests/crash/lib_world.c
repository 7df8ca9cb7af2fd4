/* The shared ground of the crash programs. */
#include "lib_world.h"

#include "../unit/ids.h"
#include "archive/verify.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int checks, failures;

bool world_check(bool ok, const char *name, const char *detail, ...)
{
    va_list args;

    checks++;
    failures += ok ? 0 : 1;
    printf("%s %d - %s\n", ok ? "ok" : "not ok", checks, name);
    if (!ok) {
        printf("  # ");
        va_start(args, detail);
        vprintf(detail, args);
        va_end(args);
        printf("\n");
    }
    fflush(stdout);
    return ok;
}

int world_end(void)
{
    printf("1..%d\n", checks);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

uint64_t world_number(const char *variable, uint64_t absent)
{
    const char *text = getenv(variable);
    return text && *text ? strtoull(text, NULL, 10) : absent;
}

void world_scratch(char *out, size_t size, const char *name)
{
    struct mt_fs_stat st;
    const char *base = getenv("MT_SCRATCH");

    mt_log_level_set(MT_LOG_ERROR); /* every trial would say that the last run did not end */

    if (!base)
        base = !mt_fs_stat("/dev/shm", &st) && st.is_dir && !access("/dev/shm", W_OK) ? "/dev/shm"
                                                                                      : "/tmp";
    snprintf(out, size, "%s/mt-%s-XXXXXX", base, name);
    if (!mkdtemp(out)) {
        printf("Bail out! no scratch folder below %s\n", base);
        exit(EXIT_FAILURE);
    }
}

static bool copy_file(const char *from, const char *to)
{
    char *data = NULL;
    size_t len = 0;
    bool ok = !mt_fs_read_all(from, (size_t)1 << 30, &data, &len);
    FILE *file = ok ? fopen(to, "w") : NULL;

    ok = file && fwrite(data, 1, len, file) == len;
    if (file && fclose(file))
        ok = false;
    mt_mem_free(data);
    return ok;
}

bool world_copy(const char *from, const char *to)
{
    char **names = NULL;
    size_t n = 0;
    bool ok = !mkdir(to, 0700) && !mt_fs_list(from, &names, &n);

    for (size_t i = 0; i < n && ok; i++) {
        char a[4096], b[4096];
        struct mt_fs_stat st;
        snprintf(a, sizeof a, "%s/%s", from, names[i]);
        snprintf(b, sizeof b, "%s/%s", to, names[i]);
        ok = !mt_fs_stat(a, &st) && (st.is_dir ? world_copy(a, b) : copy_file(a, b));
    }
    mt_mem_free(names);
    return ok;
}

static void gather(const char *dir, const char *below, struct world_files *out)
{
    char **names = NULL;
    size_t n = 0;

    if (mt_fs_list(dir, &names, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        char path[4096], name[4096];
        struct mt_fs_stat st;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        snprintf(name, sizeof name, "%s%s%s", below, *below ? "/" : "", names[i]);
        if (!strcmp(name, "LOCK") || mt_fs_stat(path, &st))
            continue;
        if (st.is_dir) {
            gather(path, name, out);
            continue;
        }
        out->at = realloc(out->at, (out->n + 1) * sizeof *out->at);
        out->at[out->n++] = strdup(name);
    }
    mt_mem_free(names);
}

void world_files(const char *dir, struct world_files *out)
{
    out->at = NULL;
    out->n = 0;
    gather(dir, "", out);
}

void world_files_free(struct world_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        free(files->at[i]);
    free(files->at);
}

/* ---------------------------------------------------------------- the cloud */

void world_init(struct world *w, unsigned convs_n, unsigned messages_n)
{
    static const char *const kinds[] = {"group", "single", "room"};

    memset(w, 0, sizeof *w);
    w->convs_n = convs_n;
    for (unsigned i = 0; i < convs_n; i++) {
        snprintf(w->convs[i].name, sizeof w->convs[i].name, "%s:c%u", kinds[i % 3], i);
        w->convs[i].messages_n = messages_n;
    }
}

uint64_t world_id(const struct world *w, unsigned conv, unsigned message)
{
    (void)w;
    return 1200000000000000000u + conv * 1000000u + message * 7u + 1u;
}

void world_identity(struct mt_archive_identity *identity)
{
    *identity = (struct mt_archive_identity){"model", "org#app", "me"};
}

void world_options(struct mt_archive_options *options)
{
    *options = (struct mt_archive_options){.segment_bytes = 6000, .segment_age_ms = 1ll << 50};
}

static int64_t time_of(unsigned message)
{
    return 1700000000000 + message * 1000;
}

static void put_line(const struct world *w, unsigned conv, unsigned message, struct mt_buf *out)
{
    /* Lengths differ, so that lines straddle sectors in every way. */
    mt_buf_appendf(
        out,
        "{\"v\":1,\"id\":\"%llu\",\"conversation\":\"%s\",\"from\":\"a\",\"to\":\"b\","
        "\"direction\":\"received\",\"time\":%lld,\"kind\":\"text\",\"text\":\"%.*s\"}\n",
        (unsigned long long)world_id(w, conv, message), w->convs[conv].name,
        (long long)time_of(message), (int)((message * 37 + conv * 11) % 150),
        "the quick brown fox jumps over the lazy dog, the quick brown fox jumps over the "
        "lazy dog, the quick brown fox jumps over the lazy dog, and then again and");
}

static void fill_batch(const struct world *w, unsigned conv, unsigned from, unsigned n, bool last,
                       const struct mt_buf *lines, struct mt_archive_batch *batch)
{
    memset(batch, 0, sizeof *batch);
    batch->conversation = w->convs[conv].name;
    batch->lines = lines->data;
    batch->lines_len = lines->len;
    batch->messages_n = batch->lines_n = n;
    if (n) {
        id_put(batch->first_id, world_id(w, conv, from));
        id_put(batch->last_id, world_id(w, conv, from + n - 1));
        id_put(batch->cursor, world_id(w, conv, from + n - 1));
        batch->first_ms = time_of(from);
        batch->last_ms = time_of(from + n - 1);
    }
    batch->complete = last;
    batch->synced_ms = last ? 1800000000000 : 0;
}

enum mt_rc world_commit(struct world *w, struct mt_archive *archive, const struct world_part *parts,
                        size_t n, struct mt_fault *fault)
{
    struct mt_archive_batch batches[WORLD_CONVS_MAX];
    struct mt_buf lines[WORLD_CONVS_MAX];
    enum mt_rc rc = MT_OK;

    memset(batches, 0, sizeof batches);
    for (size_t i = 0; i < n; i++) {
        unsigned conv = parts[i].conv;
        mt_buf_init(&lines[i], (size_t)1 << 20);
        for (unsigned k = 0; k < parts[i].n; k++)
            put_line(w, conv, w->convs[conv].written_n + k, &lines[i]);
        fill_batch(w, conv, w->convs[conv].written_n, parts[i].n, parts[i].last, &lines[i],
                   &batches[i]);
    }
    w->flight = parts;
    w->flight_n = n;
    rc = mt_archive_commit(archive, batches, n, fault);
    w->flight_n = 0;
    for (size_t i = 0; i < n; i++) {
        struct world_conv *conv = &w->convs[parts[i].conv];
        for (unsigned k = 0; k < parts[i].n && !rc; k++)
            conv->committed_at[conv->written_n++] = w->tick;
        mt_buf_deinit(&lines[i]);
    }
    return rc;
}

void world_delete(struct world *w)
{
    for (unsigned c = 0; c < w->convs_n; c++) {
        for (unsigned i = 0; i < w->convs[c].written_n; i++) {
            if ((i + c) % 2 && !w->convs[c].deleted_at[i])
                w->convs[c].deleted_at[i] = w->tick;
        }
    }
}

void world_delete_flight(struct world *w)
{
    for (size_t i = 0; i < w->flight_n; i++) {
        struct world_conv *conv = &w->convs[w->flight[i].conv];
        for (unsigned k = 0; k < w->flight[i].n; k++) {
            if (!conv->deleted_at[conv->written_n + k])
                conv->deleted_at[conv->written_n + k] = w->tick;
        }
    }
}

/* ---------------------------------------------------------------- after the crash */

struct reading {
    const struct world *w;
    unsigned conv;
    unsigned next; /* the message expected now */
    unsigned end;  /* there are no more than this */
    uint64_t lost, twice, broken;
    struct mt_buf want;
};

static enum mt_rc read_line(void *ud, const char *line, size_t len)
{
    struct reading *r = ud;

    for (unsigned at = r->next; at < r->end; at++) {
        mt_buf_reset(&r->want);
        put_line(r->w, r->conv, at, &r->want);
        if (r->want.len == len + 1 && !memcmp(r->want.data, line, len)) {
            r->lost += at - r->next;
            r->next = at + 1;
            return MT_OK;
        }
    }
    for (unsigned at = 0; at < r->next; at++) {
        mt_buf_reset(&r->want);
        put_line(r->w, r->conv, at, &r->want);
        if (r->want.len == len + 1 && !memcmp(r->want.data, line, len)) {
            r->twice++;
            return MT_OK;
        }
    }
    r->broken++;
    return MT_OK;
}

static void wrong(struct world_wrong *out, const char *fmt, ...) MT_PRINTF(2, 3);
static void wrong(struct world_wrong *out, const char *fmt, ...)
{
    va_list args;
    if (out->first[0])
        return;
    va_start(args, fmt);
    vsnprintf(out->first, sizeof out->first, fmt, args);
    va_end(args);
}

/* How many messages of a conversation are archived, by its cursor. */
static unsigned position(const struct world *w, unsigned conv, const struct mt_archive_state *state)
{
    unsigned at = 0;
    while (state && at < w->convs[conv].messages_n &&
           world_id(w, conv, at) <= id_number(state->cursor))
        at++;
    return at;
}

/* What was called archived before the crash must be there before anything is fetched again. */
static void check_committed(const struct world *w, struct mt_archive *archive, uint64_t tick,
                            struct world_wrong *out)
{
    for (unsigned c = 0; c < w->convs_n; c++) {
        unsigned have = position(w, c, mt_archive_state(archive, w->convs[c].name));
        for (unsigned i = have; i < w->convs[c].messages_n; i++) {
            uint64_t at = w->convs[c].committed_at[i];
            if (at && at <= tick) {
                out->committed_lost++;
                wrong(out, "%s: message %u was committed at %llu, the archive has %u after %llu",
                      w->convs[c].name, i, (unsigned long long)at, have, (unsigned long long)tick);
            }
        }
    }
}

/* Others delete too: of what is not archived yet the cloud may have lost some of the end, or all.
 * Then what an interrupted commit left in a segment is not simply written again. */
static enum mt_rc fetch_rest(const struct world *w, struct mt_archive *archive, uint64_t tick,
                             unsigned *ends, struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    for (unsigned c = 0; c < w->convs_n && !rc; c++) {
        struct mt_buf lines;
        struct mt_archive_batch batch;
        unsigned from = position(w, c, mt_archive_state(archive, w->convs[c].name));
        unsigned first = 0, n = 0;
        uint64_t last = 0;

        ends[c] = w->convs[c].messages_n;
        if (mt_rand_below(3))
            ends[c] = from + (unsigned)mt_rand_below(mt_rand_below(2) ? 4 : ends[c] - from + 1);
        if (ends[c] > w->convs[c].messages_n)
            ends[c] = w->convs[c].messages_n;
        for (unsigned i = ends[c]; i < w->convs[c].messages_n; i++) {
            if (w->convs[c].deleted_at[i] && w->convs[c].deleted_at[i] <= tick)
                ends[c] = i + 1; /* was archived, and must be found */
        }
        mt_buf_init(&lines, (size_t)1 << 20);
        for (unsigned i = from; i < ends[c]; i++) {
            if (w->convs[c].deleted_at[i] && w->convs[c].deleted_at[i] <= tick)
                continue;
            put_line(w, c, i, &lines);
            first = n++ ? first : i;
            last = i;
        }
        fill_batch(w, c, first, n, true, &lines, &batch);
        if (n) {
            id_put(batch.last_id, world_id(w, c, (unsigned)last));
            id_put(batch.cursor, world_id(w, c, (unsigned)last));
            batch.last_ms = time_of((unsigned)last);
        }
        rc = mt_archive_commit(archive, &batch, 1, fault);
        mt_buf_deinit(&lines);
    }
    return rc;
}

static void read_back(const struct world *w, struct mt_archive *archive, const unsigned *ends,
                      struct world_wrong *out)
{
    for (unsigned c = 0; c < w->convs_n; c++) {
        struct reading r = {.w = w, .conv = c, .end = ends[c]};
        struct mt_fault fault;
        mt_buf_init(&r.want, (size_t)1 << 20);
        if (mt_archive_lines(archive, w->convs[c].name, 0, 0, read_line, &r, &fault)) {
            out->broken++;
            wrong(out, "%s: %s", w->convs[c].name, fault.message);
        }
        r.lost += ends[c] - r.next;
        out->lost += r.lost;
        out->twice += r.twice;
        out->broken += r.broken;
        if (r.lost + r.twice + r.broken)
            wrong(out, "%s: %llu lost, %llu twice, %llu broken", w->convs[c].name,
                  (unsigned long long)r.lost, (unsigned long long)r.twice,
                  (unsigned long long)r.broken);
        mt_buf_deinit(&r.want);
    }
}

static void problem(void *ud, const char *text)
{
    wrong(ud, "verify: %s", text);
}

void world_resume(const struct world *w, const char *dir, uint64_t tick, struct world_wrong *out)
{
    struct mt_archive_identity identity;
    struct mt_archive_options options;
    struct mt_archive *archive = NULL;
    struct mt_verify_report report;
    struct mt_fault fault;
    unsigned ends[WORLD_CONVS_MAX];
    enum mt_rc rc = MT_OK;

    memset(out, 0, sizeof *out);
    world_identity(&identity);
    world_options(&options);
    rc = mt_archive_open(dir, &identity, &options, &archive, &fault);
    if (rc) {
        out->broken++;
        wrong(out, "open: %s", fault.message);
        return;
    }
    check_committed(w, archive, tick, out);
    rc = fetch_rest(w, archive, tick, ends, &fault);
    if (!rc)
        rc = mt_archive_seal_due(archive, &fault);
    if (!rc)
        read_back(w, archive, ends, out);
    enum mt_rc close_rc = mt_archive_close(archive, !rc, rc ? NULL : &fault);
    if (rc || close_rc) {
        out->broken++;
        wrong(out, "resume: %s", fault.message);
        return;
    }
    if (mt_archive_verify(dir, MT_VERIFY_READ_ALL, problem, NULL, out, &report, &fault) ||
        report.verdict != MT_VERIFY_COMPLETE) {
        out->broken++;
        wrong(out, "verify does not say complete");
    }
}
