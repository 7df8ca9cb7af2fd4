/* R3: what passes the gate before a deletion. Random archives (late messages, edits, recalls, gaps
 * that open and close, commits that fail, restarts, lines that are in the files and not committed),
 * random plans and random holds; what is let through must be exactly what a plain reckoning beside
 * it says: planned, archived with the content that the cloud shows, in no gap, not held, within the
 * cap. A plan that is old, or that was changed, must be refused.
 *
 * MT_CRASH_N: histories (default 3000); MT_SEED. A history that fails is told with its own seed:
 * MT_SEED=… MT_CRASH_N=1 shows it again. */
#include "policy/gate.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/base64.h"
#include "codec/hash.h"
#include "lib_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONVS    2
#define MESSAGES 12
#define TIMES    40
#define GAPS     40
#define HOLDS    4
#define NOW      1700000000000ll

static const char *const convs[CONVS] = {"group:1", "single:bob"};
static const char *const people[] = {"bob", "eve", "me"};

struct message {
    bool there; /* the archive was given it */
    int64_t time_ms;
    const char *from;
    unsigned version;       /* of its content, at the cloud */
    uint32_t archived;      /* one bit a version: certainly committed */
    uint32_t doubtful;      /* of a commit that failed: may have become durable */
    bool any, any_doubtful; /* some line with content */
};

struct gap {
    int64_t since, until;
    bool open, doubtful;
};

struct hold {
    int conv;         /* -1: any, -2: group:* */
    const char *from; /* NULL: any */
    int64_t since, until;
};

struct history {
    const char *dir;
    uint64_t seed;
    struct mt_archive *archive;
    struct message messages[CONVS][MESSAGES];
    struct gap gaps[CONVS][GAPS];
    unsigned gaps_n[CONVS];
    struct hold holds[HOLDS];
    unsigned holds_n;
    bool failed;
};

static uint64_t tried[MT_GATE_VERDICTS_N], refusals, doubts;

static void wrong(struct history *h, const char *what, const char *detail)
{
    if (!h->failed)
        printf("# MT_SEED=%llu: %s: %s\n", (unsigned long long)h->seed, what, detail);
    h->failed = true;
}

static unsigned any(unsigned n)
{
    return (unsigned)mt_rand_below(n);
}

/* ---------------------------------------------------------------- the archive */

static void content_of(unsigned conv, unsigned id, unsigned version, char out[40])
{
    snprintf(out, 40, "%u-%u-v%u", conv, id, version);
}

static void put_message(struct mt_buf *out, unsigned conv, unsigned id, const struct message *m,
                        unsigned version, bool edit)
{
    char content[40], raw[60];

    content_of(conv, id, version, content);
    snprintf(raw, sizeof raw, "%s|%u", content, any(1000)); /* marks, which change by themselves */
    mt_buf_append_str(out, "{\"v\":1,");
    if (edit)
        mt_buf_appendf(out, "\"type\":\"edit\",\"target\":\"%u\",", id);
    mt_buf_appendf(
        out, "\"id\":\"%u\",\"conversation\":\"%s\",\"time\":%lld,\"kind\":\"text\",\"raw\":\"", id,
        convs[conv], (long long)m->time_ms);
    mt_base64_encode(out, raw, strlen(raw));
    mt_buf_append_str(out, "\"}\n");
}

static void put_gap(struct mt_buf *out, unsigned conv, const struct gap *gap, bool closed)
{
    mt_buf_appendf(
        out, "{\"v\":1,\"type\":\"gap\",\"conversation\":\"%s\",\"since\":%lld,\"until\":%lld%s}\n",
        convs[conv], (long long)gap->since, (long long)gap->until,
        closed ? ",\"closed\":true" : "");
}

static bool open_archive(struct history *h)
{
    struct mt_archive_identity identity;
    struct mt_archive_options options = {.segment_bytes = 200 + any(2000)};
    struct mt_fault fault;

    world_identity(&identity);
    if (!mt_archive_open(h->dir, &identity, &options, &h->archive, &fault))
        return true;
    wrong(h, "the archive does not open", fault.message);
    return false;
}

static void close_archive(struct history *h, bool clean)
{
    struct mt_fault fault;

    if (clean && mt_archive_seal_due(h->archive, &fault))
        wrong(h, "seal", fault.message);
    if (mt_archive_close(h->archive, clean, &fault))
        wrong(h, "close", fault.message);
    h->archive = NULL;
}

struct trouble {
    unsigned in;
};

static int hook(void *ud, const struct mt_fs_event *event)
{
    struct trouble *t = ud;

    (void)event;
    return t->in && !--t->in ? EIO : 0;
}

/* One batch of a conversation: what it does to the plain reckoning counts when it was durable. */
struct batch {
    struct mt_buf text;
    struct mt_archive_batch b;
    struct message messages[MESSAGES];
    struct gap gaps[GAPS];
    unsigned gaps_n;
};

static void add_line(unsigned conv, struct batch *batch)
{
    unsigned id = any(MESSAGES), what = any(10);
    struct message *m = &batch->messages[id];
    struct gap *gap = &batch->gaps[batch->gaps_n];

    batch->b.lines_n++;
    if (what < 6) {
        bool edit = m->there;
        if (m->there && any(2))
            m->version = any(4); /* edited at the cloud: sometimes back to what it was */
        m->there = true;
        m->any = true;
        m->archived |= UINT32_C(1) << m->version;
        put_message(&batch->text, conv, id, m, m->version, edit);
        if (!edit) {
            if (!batch->b.messages_n++)
                batch->b.first_ms = m->time_ms;
            batch->b.last_ms =
                m->time_ms; /* as an export says it, though it may not be the latest */
            snprintf(batch->b.first_id, sizeof batch->b.first_id, "1");
            snprintf(batch->b.last_id, sizeof batch->b.last_id, "1");
        }
    } else if (what == 6) {
        mt_buf_appendf(&batch->text,
                       "{\"v\":1,\"type\":\"recall\",\"target\":\"%u\",\"id\":\"%u\","
                       "\"conversation\":\"%s\",\"time\":1}\n",
                       id, id, convs[conv]);
    } else if (what == 7 && batch->gaps_n < GAPS) {
        gap->since = any(TIMES);
        gap->until = any(5) ? gap->since + 1 + any(6) : 0;
        gap->open = true;
        gap->doubtful = false;
        batch->gaps_n++;
        batch->b.gaps_n++;
        put_gap(&batch->text, conv, gap, false);
    } else if (batch->gaps_n) { /* taken back: one of them, or a range that nobody left out */
        struct gap back = batch->gaps[any(batch->gaps_n)];
        if (!any(4))
            back.until++;
        for (unsigned i = 0; i < batch->gaps_n; i++)
            if (batch->gaps[i].since == back.since && batch->gaps[i].until == back.until)
                batch->gaps[i].open = false;
        put_gap(&batch->text, conv, &back, true);
    } else {
        batch->b.lines_n--;
    }
}

/* A commit failed: when the archive is opened anew, it holds the batch or does not. */
static void in_doubt(struct history *h, unsigned conv, const struct batch *batch)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct message *m = &h->messages[conv][i];
        const struct message *n = &batch->messages[i];
        m->doubtful |= n->archived & ~m->archived;
        m->any_doubtful = m->any_doubtful || (n->any && !m->any);
        m->there = m->there || n->there;
        m->version = n->version;
    }
    for (unsigned i = 0; i < batch->gaps_n; i++) {
        struct gap *gap = &h->gaps[conv][i];
        bool before = i < h->gaps_n[conv] && gap->open;
        bool doubtful = i < h->gaps_n[conv] && gap->doubtful;
        *gap = batch->gaps[i];
        gap->doubtful = doubtful || before != gap->open;
    }
    h->gaps_n[conv] = batch->gaps_n;
}

static void commit_some(struct history *h)
{
    unsigned conv = any(CONVS), n = 1 + any(6);
    struct trouble trouble = {any(12) ? 0 : 1 + any(12)};
    struct batch batch = {.b = {.conversation = convs[conv]}, .gaps_n = h->gaps_n[conv]};
    struct mt_fault fault;

    mt_buf_init(&batch.text, 65536);
    memcpy(batch.messages, h->messages[conv], sizeof batch.messages);
    memcpy(batch.gaps, h->gaps[conv], sizeof batch.gaps);
    for (unsigned i = 0; i < n; i++)
        add_line(conv, &batch);
    if (batch.b.lines_n) {
        batch.b.lines = batch.text.data;
        batch.b.lines_len = batch.text.len;
        mt_fs_seam_set(hook, &trouble);
        enum mt_rc rc = mt_archive_commit(h->archive, &batch.b, 1, &fault);
        mt_fs_seam_set(NULL, NULL);
        if (rc) {
            doubts++;
            in_doubt(h, conv, &batch);
            close_archive(h, false);
            (void)open_archive(h);
        } else {
            memcpy(h->messages[conv], batch.messages, sizeof batch.messages);
            memcpy(h->gaps[conv], batch.gaps, sizeof batch.gaps);
            h->gaps_n[conv] = batch.gaps_n;
        }
    }
    mt_buf_deinit(&batch.text);
}

/* Lines of the cloud's present contents that are in the file, and in no journal. */
static void leave_uncommitted(struct history *h)
{
    struct world_files files = {0};
    struct mt_buf text;

    mt_buf_init(&text, 65536);
    world_files(h->dir, &files);
    for (size_t i = 0; i < files.n; i++) {
        char path[700];
        FILE *file = NULL;
        size_t len = strlen(files.at[i]);
        unsigned conv = strstr(files.at[i], "single") ? 1 : 0;

        if (len < 6 || strcmp(files.at[i] + len - 6, ".jsonl") != 0 ||
            !strstr(files.at[i], "/conv/"))
            continue;
        mt_buf_reset(&text);
        for (unsigned id = 0; id < MESSAGES; id++)
            put_message(&text, conv, id, &h->messages[conv][id], h->messages[conv][id].version,
                        any(2));
        snprintf(path, sizeof path, "%s/%s", h->dir, files.at[i]);
        file = fopen(path, "a");
        size_t torn = any(2); /* without the end of its last line, now and then */
        if (!file || fwrite(text.data, 1, text.len - torn, file) != text.len - torn)
            wrong(h, files.at[i], "cannot be written");
        if (file)
            fclose(file);
    }
    world_files_free(&files);
    mt_buf_deinit(&text);
}

static void make_history(struct history *h)
{
    unsigned steps = 3 + any(10);

    for (unsigned c = 0; c < CONVS; c++)
        for (unsigned i = 0; i < MESSAGES; i++)
            h->messages[c][i] = (struct message){.time_ms = 1 + any(TIMES), .from = people[any(3)]};
    for (unsigned s = 0; s < steps && !h->failed; s++) {
        commit_some(h);
        if (!any(4) && h->archive) {
            close_archive(h, any(2));
            (void)open_archive(h);
        }
    }
    for (unsigned c = 0; c < CONVS; c++)
        for (unsigned i = 0; i < MESSAGES; i++)
            if (!any(3)) /* edited since, and nobody has archived it */
                h->messages[c][i].version = any(5);
    if (h->archive && any(2))
        leave_uncommitted(h);
}

/* ---------------------------------------------------------------- holds */

static char *make_holds(struct history *h)
{
    struct mt_buf text;

    mt_buf_init(&text, 4096);
    mt_buf_append_str(&text, "# holds\n");
    h->holds_n = any(3) ? any(HOLDS) : 0;
    for (unsigned i = 0; i < h->holds_n; i++) {
        struct hold *hold = &h->holds[i];
        hold->conv = (int)any(CONVS + 2) - 2;
        hold->from = any(2) ? people[any(3)] : NULL;
        mt_buf_appendf(&text, "{\"id\":\"h%u\",\"account\":\"support\"", i);
        if (hold->conv != -1)
            mt_buf_appendf(&text, ",\"conversation\":\"%s\"",
                           hold->conv < 0 ? "group:*" : convs[hold->conv]);
        if (hold->from)
            mt_buf_appendf(&text, ",\"person\":\"%s\"", hold->from);
        hold->since = hold->until = 0;
        if (any(2)) { /* times are milliseconds after 1970 */
            hold->since = 1 + any(TIMES);
            mt_buf_appendf(&text, ",\"since\":\"1970-01-01T00:00:00.%03uZ\"",
                           (unsigned)hold->since);
        }
        if (any(2)) {
            hold->until = hold->since + 1 + any(10);
            mt_buf_appendf(&text, ",\"until\":\"1970-01-01T00:00:00.%03uZ\"",
                           (unsigned)hold->until);
        }
        mt_buf_append_str(&text, "}\n");
    }
    return mt_buf_steal(&text, NULL);
}

static bool plainly_held(const struct history *h, unsigned conv, const struct message *m)
{
    for (unsigned i = 0; i < h->holds_n; i++) {
        const struct hold *hold = &h->holds[i];
        bool conv_is = hold->conv == -1 || hold->conv == (int)conv ||
                       (hold->conv == -2 && !strncmp(convs[conv], "group:", 6));
        bool person_is = !hold->from || !strcmp(hold->from, m->from) || !strcmp(hold->from, "me") ||
                         (conv == 1 && !strcmp(hold->from, "bob"));
        if (conv_is && person_is && m->time_ms >= hold->since &&
            (!hold->until || m->time_ms < hold->until))
            return true;
    }
    return false;
}

/* ---------------------------------------------------------------- the plain reckoning */

/* Which verdicts are right, one bit each. */
static unsigned plain_verdict(const struct history *h, unsigned conv, unsigned id)
{
    const struct message *m = &h->messages[conv][id];
    uint32_t bit = UINT32_C(1) << m->version;
    unsigned in_gap = 0, right = 0;

    for (unsigned i = 0; i < h->gaps_n[conv]; i++) {
        const struct gap *gap = &h->gaps[conv][i];
        if (m->time_ms < gap->since || (gap->until && m->time_ms >= gap->until))
            continue;
        if (gap->doubtful)
            in_gap |= 2; /* perhaps */
        else if (gap->open)
            in_gap |= 1;
    }
    if (in_gap)
        right |= 1u << MT_GATE_IN_GAP;
    if (in_gap & 1)
        return right;
    if (m->archived & bit)
        return right | 1u << (plainly_held(h, conv, m) ? MT_GATE_HELD : MT_GATE_LET);
    if (m->doubtful & bit)
        right |= 1u << (plainly_held(h, conv, m) ? MT_GATE_HELD : MT_GATE_LET);
    if (m->any || m->any_doubtful)
        right |= 1u << MT_GATE_CHANGED;
    if (!m->any)
        right |= 1u << MT_GATE_NOT_ARCHIVED;
    return right;
}

/* ---------------------------------------------------------------- a run */

static enum mt_rc digest(void *ud, const void *raw, size_t len, uint8_t out[MT_PLAN_DIGEST_LEN])
{
    const char *bar = memchr(raw, '|', len);

    (void)ud;
    if (!bar)
        return MT_ERR_PROTOCOL;
    mt_sha256_of(raw, (size_t)(bar - (const char *)raw), out);
    return MT_OK;
}

static bool make_plan(struct history *h, const char *dir, int64_t made_ms,
                      bool planned[CONVS][MESSAGES], char path[600], struct mt_fault *fault)
{
    struct mt_plan_head head = {.account = "support",
                                .provider = "model",
                                .appkey = "org#app",
                                .user = "me",
                                .policy = "all",
                                .made_ms = made_ms};
    struct mt_plan_writer *writer = NULL;
    char hash[MT_PLAN_HASH_MAX];

    if (mt_plan_create(dir, &head, &writer, fault))
        return false;
    for (unsigned c = 0; c < CONVS; c++) {
        struct mt_plan_count count = {.seen_n = MESSAGES};
        for (unsigned id = 0; id < MESSAGES; id++) {
            const struct message *m = &h->messages[c][id];
            char content[40], name[12];
            struct mt_plan_item item = {
                .key = {.id = name, .time_ms = m->time_ms, .from = m->from}};

            planned[c][id] = any(4) > 0;
            if (!planned[c][id])
                continue;
            snprintf(name, sizeof name, "%u", id);
            content_of(c, id, m->version, content);
            mt_sha256_of(content, strlen(content), item.digest);
            count.planned_n++;
            if (mt_plan_conversation(writer, convs[c], &item, 1, fault)) {
                mt_plan_abandon(writer);
                return false;
            }
        }
        if (mt_plan_conversation_end(writer, convs[c], &count, NULL, fault)) {
            mt_plan_abandon(writer);
            return false;
        }
    }
    return !mt_plan_finish(writer, path, 600, hash, fault);
}

static void judge_portion(struct history *h, const struct mt_plan *plan,
                          const struct mt_holds *holds, const char *conversation,
                          const struct mt_plan_item *items, size_t n, uint64_t *left,
                          bool seen[CONVS][MESSAGES])
{
    enum mt_gate_verdict verdicts[MESSAGES];
    struct mt_fault fault;
    unsigned conv = strcmp(conversation, convs[0]) ? 1 : 0;
    size_t let_n = 0, passed_n = 0;

    if (mt_gate_archive(h->archive, conversation, items, n, digest, NULL, verdicts, &fault)) {
        wrong(h, "the gate", fault.message);
        return;
    }
    mt_gate_hold(holds, mt_plan_head(plan), conversation, items, n, verdicts);
    for (size_t i = 0; i < n; i++) {
        unsigned id = (unsigned)strtoul(items[i].key.id, NULL, 10);
        unsigned right = plain_verdict(h, conv, id);
        char what[100];

        tried[verdicts[i]]++;
        let_n += verdicts[i] == MT_GATE_LET;
        snprintf(what, sizeof what, "%s %u is %s, and should be 0x%x", conversation, id,
                 mt_gate_verdict_name(verdicts[i]), right);
        if (!(right >> verdicts[i] & 1))
            wrong(h, "verdict", what);
        if (seen[conv][id])
            wrong(h, "twice", what);
        seen[conv][id] = true;
    }
    passed_n = mt_gate_cap(*left, verdicts, n);
    if (passed_n != (let_n < *left ? let_n : *left))
        wrong(h, "the cap", "lets through another number");
    for (size_t i = 0; i < n; i++) {
        passed_n -= verdicts[i] == MT_GATE_LET;
        tried[MT_GATE_CAP] += verdicts[i] == MT_GATE_CAP;
        *left -= verdicts[i] == MT_GATE_LET;
    }
    if (passed_n)
        wrong(h, "the cap", "says another number than it lets through");
}

static void run_plan(struct history *h, const char *path, const char *holds_text,
                     const char *holds_path, int64_t made_ms, bool changed,
                     bool planned[CONVS][MESSAGES])
{
    bool stale = made_ms > NOW || NOW - made_ms > MT_PLAN_AGE_MAX_MS;
    bool seen[CONVS][MESSAGES] = {{false}};
    struct mt_plan *plan = NULL;
    struct mt_holds *holds = NULL;
    struct mt_fault fault;
    enum mt_rc rc = mt_plan_open(path, NOW, &plan, &fault);
    uint64_t left = any(2) ? any(8) : 1000;
    size_t n = 1;

    refusals += rc != MT_OK;
    if (rc != (changed ? MT_ERR_DAMAGED : stale ? MT_ERR_STATE : MT_OK))
        wrong(h, "opening the plan", rc ? fault.message : "it was taken");
    if (!rc) {
        FILE *file = fopen(holds_path, "w");
        if (!file || fputs(holds_text, file) < 0 || fclose(file))
            wrong(h, "holds", "cannot be written");
        rc = mt_holds_read(holds_path, &holds, &fault);
        if (rc)
            wrong(h, "holds", fault.message);
    }
    while (!rc && n && !h->failed) {
        const struct mt_plan_item *items = NULL;
        const char *conversation = NULL;

        rc = mt_plan_next(plan, 1 + any(MESSAGES), &conversation, &items, &n, &fault);
        if (rc)
            wrong(h, "reading the plan", fault.message);
        else if (n)
            judge_portion(h, plan, holds, conversation, items, n, &left, seen);
    }
    if (!rc && !h->failed && memcmp(seen, planned, sizeof seen) != 0)
        wrong(h, "the plan", "is not what was planned");
    mt_holds_free(holds);
    mt_plan_free(plan);
}

static bool change(const char *path)
{
    char *data = NULL;
    size_t len = 0;
    FILE *file = NULL;

    if (mt_fs_read_all(path, (size_t)1 << 20, &data, &len))
        return false;
    size_t at = (size_t)mt_rand_below(len);
    size_t keep = len;
    unsigned how = any(3);
    if (how == 0)
        data[at] = (char)(data[at] ^ (1 << any(8)));
    else if (how == 1)
        keep = at; /* a tail cut off */
    file = fopen(path, "w");
    bool ok = file && fwrite(data, 1, keep, file) == keep;
    if (ok && how == 2)
        ok = fputs("{\"id\":\"1\"}\n", file) >= 0; /* something behind the end */
    if (file && fclose(file))
        ok = false;
    mt_mem_free(data);
    return ok;
}

static bool try_one(const char *scratch, uint64_t seed)
{
    struct history h = {.seed = seed};
    bool planned[CONVS][MESSAGES] = {{false}};
    char dir[300], plans[300], holds[300], path[600];
    struct mt_fault fault;

    mt_rand_seed(seed);
    snprintf(dir, sizeof dir, "%s/archive", scratch);
    snprintf(plans, sizeof plans, "%s/plans", scratch);
    snprintf(holds, sizeof holds, "%s/holds.jsonl", scratch);
    h.dir = dir;
    if (open_archive(&h))
        make_history(&h);
    if (!h.failed && h.archive) {
        char *text = make_holds(&h);
        int64_t made_ms = any(12)  ? NOW - any(1000)
                          : any(2) ? NOW + 1
                                   : NOW - MT_PLAN_AGE_MAX_MS - 1;
        bool changed = !any(12);

        if (!make_plan(&h, plans, made_ms, planned, path, &fault))
            wrong(&h, "the plan", fault.message);
        else if (!changed || change(path))
            run_plan(&h, path, text, holds, made_ms, changed, planned);
        mt_mem_free(text);
    }
    if (h.archive)
        close_archive(&h, false);
    tests_remove(dir);
    tests_remove(plans);
    return !h.failed;
}

int main(void)
{
    char scratch[256], name[200];
    uint64_t n = world_number("MT_CRASH_N", 3000);
    uint64_t seed = world_number("MT_SEED", 20261121);
    uint64_t failed = 0;

    printf("# MT_SEED=%llu\n", (unsigned long long)seed);
    world_scratch(scratch, sizeof scratch, "gate");
    for (uint64_t i = 0; i < n && failed < 5; i++)
        failed += !try_one(scratch, (seed ? seed : 1) + i);
    snprintf(name, sizeof name, "%llu histories: what passes the gate is what may be deleted",
             (unsigned long long)n);
    world_check(!failed, name, "%llu of them failed", (unsigned long long)failed);
    printf("# %llu commits failed, %llu plans refused", (unsigned long long)doubts,
           (unsigned long long)refusals);
    for (int v = 0; v < MT_GATE_VERDICTS_N; v++)
        printf(", %llu %s", (unsigned long long)tried[v],
               mt_gate_verdict_name((enum mt_gate_verdict)v));
    printf("\n");
    bool all = refusals > 0;
    for (int v = 0; v < MT_GATE_VERDICTS_N; v++)
        all = all && tried[v] > 0;
    world_check(all || n < 100, "each verdict was reached", "they were not");
    tests_remove(scratch);
    return world_end();
}
