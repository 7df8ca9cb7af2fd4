/* The gate: what of a plan may be deleted. Against the archive a message is judged by its content,
 * in any committed line of it: that a line was once written with its id says nothing about what the
 * cloud shows now. */
#include "policy/gate.h"

#include "archive/archive.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "policy/line_int.h"

#include <stdlib.h>
#include <string.h>

#define GAPS_MAX 100000u
#define NONE     UINT32_MAX

const char *mt_gate_verdict_name(enum mt_gate_verdict verdict)
{
    static const char *const names[MT_GATE_VERDICTS_N] = {
        [MT_GATE_LET] = "let",         [MT_GATE_NOT_ARCHIVED] = "not_archived",
        [MT_GATE_CHANGED] = "changed", [MT_GATE_IN_GAP] = "in_gap",
        [MT_GATE_HELD] = "held",       [MT_GATE_CAP] = "cap",
    };
    return (size_t)verdict < MT_GATE_VERDICTS_N ? names[verdict] : "unknown";
}

struct gap {
    int64_t since_ms, until_ms; /* until exclusive; 0: open */
};

struct judging {
    const char *conversation;
    size_t conversation_len;
    const struct mt_plan_item *items;
    size_t n;
    enum mt_gate_verdict *verdicts;
    mt_gate_digest_fn *digest;
    void *ud;
    size_t left_n;   /* not yet LET */
    uint32_t *table; /* by id: the first item with it; NONE: free */
    size_t table_cap;
    uint32_t *next; /* of an item: another one with its id */
    struct gap *gaps;
    size_t gaps_n, gaps_cap;
    uint8_t *raw;
    size_t raw_cap;
};

/* ---------------------------------------------------------------- which items */

/* FNV-1a: the ids are the cloud's, who has no reason to make the table slow. */
static size_t hash_of(const char *id, size_t len)
{
    uint64_t hash = 0xCBF29CE484222325ull;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)id[i]) * 0x100000001B3ull;
    return (size_t)(hash ^ hash >> 29);
}

static bool is_id(const struct mt_plan_item *item, const char *id, size_t len)
{
    return strlen(item->key.id) == len && !memcmp(item->key.id, id, len);
}

/* Where the first item of this id stands in the table, or would. */
static uint32_t *slot_of(const struct judging *j, const char *id, size_t len)
{
    size_t at = hash_of(id, len) & (j->table_cap - 1);

    while (j->table[at] != NONE && !is_id(&j->items[j->table[at]], id, len))
        at = (at + 1) & (j->table_cap - 1);
    return &j->table[at];
}

static enum mt_rc make_table(struct judging *j)
{
    j->table_cap = 16;
    while (j->table_cap < j->n * 2)
        j->table_cap *= 2;
    j->table = mt_mem_alloc(j->table_cap * sizeof *j->table);
    j->next = mt_mem_alloc(j->n * sizeof *j->next);
    if (!j->table || !j->next)
        return MT_ERR_NOMEM;
    memset(j->table, 0xFF, j->table_cap * sizeof *j->table);
    for (uint32_t i = 0; i < j->n; i++) {
        const char *id = j->items[i].key.id;

        j->next[i] = NONE;
        if (!mt_id_is(id))
            continue; /* no line can be about it */
        uint32_t *slot = slot_of(j, id, strlen(id));
        j->next[i] = *slot;
        *slot = i;
    }
    return MT_OK;
}

/* ---------------------------------------------------------------- gaps */

static enum mt_rc add_gap(struct judging *j, struct gap gap)
{
    if (j->gaps_n == GAPS_MAX)
        return MT_ERR_LIMIT;
    if (j->gaps_n == j->gaps_cap) {
        size_t cap = j->gaps_cap ? j->gaps_cap * 2 : 8;
        struct gap *gaps = mt_mem_realloc(j->gaps, cap * sizeof *gaps);
        if (!gaps)
            return MT_ERR_NOMEM;
        j->gaps = gaps;
        j->gaps_cap = cap;
    }
    j->gaps[j->gaps_n++] = gap;
    return MT_OK;
}

/* A line takes back those of exactly its range. What of a gap cannot be read makes it wide, and
 * takes nothing back. */
static enum mt_rc take_gap(struct judging *j, const struct mt_line *line)
{
    struct gap gap = {0, 0};
    bool whole = mt_line_i64(line, MT_LINE_SINCE, &gap.since_ms) &&
                 mt_line_i64(line, MT_LINE_UNTIL, &gap.until_ms);
    size_t kept = 0;

    if (!mt_line_is(line, MT_LINE_CLOSED, "true")) {
        if (whole && gap.until_ms && gap.until_ms <= gap.since_ms)
            return MT_OK; /* nothing lies in it */
        return add_gap(j, whole ? gap : (struct gap){0, 0});
    }
    for (size_t i = 0; i < j->gaps_n && whole; i++) {
        if (j->gaps[i].since_ms != gap.since_ms || j->gaps[i].until_ms != gap.until_ms)
            j->gaps[kept++] = j->gaps[i];
    }
    j->gaps_n = whole ? kept : j->gaps_n;
    return MT_OK;
}

static int by_since(const void *a, const void *b)
{
    const struct gap *x = a;
    const struct gap *y = b;

    return (x->since_ms > y->since_ms) - (x->since_ms < y->since_ms);
}

/* Sorts them, and makes one of those that touch. */
static void join_gaps(struct judging *j)
{
    size_t n = 0;

    if (j->gaps_n)
        qsort(j->gaps, j->gaps_n, sizeof *j->gaps, by_since);
    for (size_t i = 0; i < j->gaps_n; i++) {
        struct gap *last = n ? &j->gaps[n - 1] : NULL;

        if (!j->gaps[i].until_ms)
            j->gaps[i].until_ms = INT64_MAX;
        if (last && j->gaps[i].since_ms <= last->until_ms) {
            if (j->gaps[i].until_ms > last->until_ms)
                last->until_ms = j->gaps[i].until_ms;
        } else {
            j->gaps[n++] = j->gaps[i];
        }
    }
    j->gaps_n = n;
}

static bool in_gap(const struct judging *j, int64_t time_ms)
{
    size_t low = 0;
    size_t high = j->gaps_n;

    if (!time_ms)
        return j->gaps_n > 0; /* nobody knows where it lies */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (j->gaps[mid].until_ms > time_ms || j->gaps[mid].until_ms == INT64_MAX)
            high = mid;
        else
            low = mid + 1;
    }
    return low < j->gaps_n && j->gaps[low].since_ms <= time_ms;
}

/* ---------------------------------------------------------------- lines */

static enum mt_rc digest_of(struct judging *j, const struct mt_line *line, bool *is,
                            uint8_t out[MT_PLAN_DIGEST_LEN])
{
    const char *text = NULL;
    char *owned = NULL;
    size_t len = 0;
    size_t raw_len = 0;
    enum mt_rc rc = mt_line_text(line, MT_LINE_RAW, &text, &len, &owned);

    *is = false;
    if (!rc && text && MT_BASE64_DECODED_MAX(len) > j->raw_cap) {
        mt_mem_free(j->raw);
        j->raw_cap = MT_BASE64_DECODED_MAX(len) * 2;
        j->raw = mt_mem_alloc(j->raw_cap);
        if (!j->raw) {
            j->raw_cap = 0;
            rc = MT_ERR_NOMEM;
        }
    }
    if (!rc && text && !mt_base64_decode(text, len, j->raw, &raw_len)) {
        rc = j->digest(j->ud, j->raw, raw_len, out);
        *is = rc == MT_OK;
    }
    mt_mem_free(owned);
    return rc == MT_ERR_NOMEM ? rc : MT_OK;
}

/* A line with the content, as it once was, of these items. */
static enum mt_rc compare(struct judging *j, const struct mt_line *line, uint32_t first)
{
    uint8_t digest[MT_PLAN_DIGEST_LEN];
    bool is = false;
    bool wanted = false;

    for (uint32_t i = first; i != NONE; i = j->next[i])
        wanted = wanted || j->verdicts[i] != MT_GATE_LET;
    enum mt_rc rc = wanted ? digest_of(j, line, &is, digest) : MT_OK;
    for (uint32_t i = first; i != NONE && wanted && !rc; i = j->next[i]) {
        if (j->verdicts[i] == MT_GATE_LET)
            continue;
        if (is && !memcmp(digest, j->items[i].digest, sizeof digest)) {
            j->verdicts[i] = MT_GATE_LET;
            j->left_n--;
        } else {
            j->verdicts[i] = MT_GATE_CHANGED;
        }
    }
    return rc;
}

/* Whether the member is this text. */
static enum mt_rc says(const struct mt_line *line, enum mt_line_member member, const char *want,
                       size_t want_len, bool *is)
{
    const char *text = NULL;
    char *owned = NULL;
    size_t len = 0;
    enum mt_rc rc = mt_line_text(line, member, &text, &len, &owned);

    *is = text && len == want_len && !memcmp(text, want, len);
    mt_mem_free(owned);
    return rc;
}

static enum mt_rc find_items(const struct judging *j, const struct mt_line *line,
                             enum mt_line_member member, uint32_t *first)
{
    const char *text = NULL;
    char *owned = NULL;
    size_t len = 0;
    enum mt_rc rc = mt_line_text(line, member, &text, &len, &owned);

    *first = text ? *slot_of(j, text, len) : NONE;
    mt_mem_free(owned);
    return rc;
}

static enum mt_rc take_line(void *ud, const char *text, size_t len)
{
    struct judging *j = ud;
    struct mt_line line;
    uint32_t first = NONE;
    bool same = false;
    enum mt_rc rc = mt_line_scan(text, len, &line);
    bool edit = !rc && mt_line_is(&line, MT_LINE_TYPE, "\"edit\"");

    if (rc || !mt_line_is(&line, MT_LINE_V, "1"))
        return rc; /* lines of another version are left alone */
    if (mt_line_is(&line, MT_LINE_TYPE, "\"gap\""))
        return take_gap(j, &line);
    if (!edit && line.at[MT_LINE_TYPE].p)
        return MT_OK; /* that it was recalled is no content */
    rc = find_items(j, &line, edit ? MT_LINE_TARGET : MT_LINE_ID, &first);
    if (rc || first == NONE)
        return rc;
    rc = says(&line, MT_LINE_CONVERSATION, j->conversation, j->conversation_len, &same);
    return rc || !same ? rc : compare(j, &line, first);
}

/* ---------------------------------------------------------------- the archive */

/* Where they lie, until exclusive; 0: no bound. The time of one that is not known bounds nothing.
 */
static void span_of(const struct mt_plan_item *items, size_t n, int64_t *since_ms,
                    int64_t *until_ms)
{
    int64_t oldest_ms = INT64_MAX;
    int64_t newest_ms = INT64_MIN;

    for (size_t i = 0; i < n; i++) {
        int64_t time_ms = items[i].key.time_ms;

        if (time_ms < oldest_ms)
            oldest_ms = time_ms;
        if (time_ms > newest_ms)
            newest_ms = time_ms;
    }
    bool known = n && oldest_ms > 0;
    *since_ms = known ? oldest_ms : 0;
    *until_ms = known && newest_ms < INT64_MAX ? newest_ms + 1 : 0;
}

static enum mt_rc read_lines(struct judging *j, struct mt_archive *archive, int64_t since_ms,
                             int64_t until_ms, struct mt_fault *fault)
{
    j->gaps_n = 0;
    return mt_archive_lines(archive, j->conversation, since_ms, until_ms, take_line, j, fault);
}

enum mt_rc mt_gate_archive(struct mt_archive *archive, const char *conversation,
                           const struct mt_plan_item *items, size_t n, mt_gate_digest_fn *digest,
                           void *ud, enum mt_gate_verdict *verdicts, struct mt_fault *fault)
{
    struct judging j = {.conversation = conversation,
                        .conversation_len = strlen(conversation),
                        .items = items,
                        .n = n,
                        .verdicts = verdicts,
                        .digest = digest,
                        .ud = ud,
                        .left_n = n};
    int64_t since_ms = 0;
    int64_t until_ms = 0;
    enum mt_rc rc = MT_OK;

    for (size_t i = 0; i < n; i++)
        verdicts[i] = MT_GATE_NOT_ARCHIVED;
    if (!n)
        return MT_OK;
    span_of(items, n, &since_ms, &until_ms);
    if (n >= NONE || make_table(&j))
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (!rc)
        rc = read_lines(&j, archive, since_ms, until_ms, fault);
    /* A late message may stand in a segment that seems to lie elsewhere: looked for everywhere
     * before it is called missing. */
    if (!rc && j.left_n && (since_ms || until_ms))
        rc = read_lines(&j, archive, 0, 0, fault);
    join_gaps(&j);
    for (size_t i = 0; i < n; i++) {
        if (rc)
            verdicts[i] = MT_GATE_NOT_ARCHIVED; /* whoever does not look at rc deletes nothing */
        else if (in_gap(&j, items[i].key.time_ms))
            verdicts[i] = MT_GATE_IN_GAP;
    }
    mt_mem_free(j.table);
    mt_mem_free(j.next);
    mt_mem_free(j.gaps);
    mt_mem_free(j.raw);
    return rc;
}

/* ---------------------------------------------------------------- holds and the cap */

void mt_gate_hold(const struct mt_holds *holds, const struct mt_plan_head *head,
                  const char *conversation, const struct mt_plan_item *items, size_t n,
                  enum mt_gate_verdict *verdicts)
{
    for (size_t i = 0; i < n; i++) {
        const struct mt_message_key *key = &items[i].key;

        if (verdicts[i] == MT_GATE_LET &&
            mt_holds_find(holds, head->account, head->user, conversation, key->from, key->time_ms))
            verdicts[i] = MT_GATE_HELD;
    }
}

size_t mt_gate_cap(uint64_t left_n, enum mt_gate_verdict *verdicts, size_t n)
{
    size_t let_n = 0;

    for (size_t i = 0; i < n; i++) {
        if (verdicts[i] != MT_GATE_LET)
            continue;
        if (let_n < left_n)
            let_n++;
        else
            verdicts[i] = MT_GATE_CAP;
    }
    return let_n;
}

uint64_t mt_gate_cap_default(uint64_t seen_n)
{
    const uint64_t most = 10000; /* R13 */
    uint64_t part = seen_n / 20;

    if (part > most)
        part = most;
    return part ? part : 1;
}
