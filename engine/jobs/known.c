/* The set of archived messages that a repeated read is compared with: an open table
 * of ids, each with a hash of the message's content (mt_message_digest). */
#include "jobs/known_int.h"

#include "archive/archive.h"
#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/base64.h"
#include "codec/json.h"

#include <string.h>

#define LINE_MAX_BYTES (64u << 20)
#define IDS_MAX_BYTES  ((size_t)2 << 30)
#define GAPS_MAX       100000u

struct entry {
    const char *id; /* NULL: free */
    uint64_t content;
    int64_t time_ms : 62; /* packed: a window may hold very many */
    uint64_t seen : 1;
    uint64_t recalled : 1;
};

struct mt_known {
    const struct mt_provider *provider;
    const struct mt_provider_account *account;
    struct entry *table;
    size_t cap; /* a power of two */
    size_t n;
    struct mt_known_gap *gaps;
    size_t gaps_n, gaps_cap;
    int64_t since_ms;
    struct mt_arena *arena;
    struct mt_arena *ids;
    struct mt_buf scratch;
};

struct mt_known *mt_known_new(const struct mt_provider *provider,
                              const struct mt_provider_account *account)
{
    struct mt_known *known = mt_mem_calloc(1, sizeof *known);
    if (!known)
        return NULL;
    known->provider = provider;
    known->account = account;
    known->arena = mt_arena_new(LINE_MAX_BYTES);
    known->ids = mt_arena_new(IDS_MAX_BYTES);
    mt_buf_init(&known->scratch, LINE_MAX_BYTES);
    if (!known->arena || !known->ids) {
        mt_known_free(known);
        return NULL;
    }
    return known;
}

void mt_known_free(struct mt_known *known)
{
    if (!known)
        return;
    mt_mem_free(known->table);
    mt_mem_free(known->gaps);
    mt_arena_free(known->arena);
    mt_arena_free(known->ids);
    mt_buf_deinit(&known->scratch);
    mt_mem_free(known);
}

/* FNV-1a: the ids are the cloud's, who has no reason to make the table slow. */
static uint64_t hash_of(const char *id)
{
    uint64_t hash = 0xCBF29CE484222325ull;

    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 0x100000001B3ull;
    return hash ^ hash >> 29;
}

static size_t slot_of(const struct entry *table, size_t cap, const char *id)
{
    size_t at = (size_t)hash_of(id) & (cap - 1);
    while (table[at].id && strcmp(table[at].id, id) != 0)
        at = (at + 1) & (cap - 1);
    return at;
}

static enum mt_rc grow(struct mt_known *known)
{
    size_t cap = known->cap ? known->cap * 2 : 256;
    struct entry *table = mt_mem_calloc(cap, sizeof *table);
    if (!table)
        return MT_ERR_NOMEM;
    for (size_t i = 0; i < known->cap; i++) {
        if (known->table[i].id)
            table[slot_of(table, cap, known->table[i].id)] = known->table[i];
    }
    mt_mem_free(known->table);
    known->table = table;
    known->cap = cap;
    return MT_OK;
}

static enum mt_rc put(struct mt_known *known, const char *id, struct entry **out)
{
    if ((known->n + 1) * 4 > known->cap * 3) {
        enum mt_rc rc = grow(known);
        if (rc)
            return rc;
    }
    struct entry *e = &known->table[slot_of(known->table, known->cap, id)];
    if (!e->id) {
        e->id = mt_arena_strdup(known->ids, id);
        if (!e->id)
            return MT_ERR_NOMEM;
        known->n++;
    }
    *out = e;
    return MT_OK;
}

static struct entry *find(struct mt_known *known, const char *id)
{
    if (!known->cap || !id)
        return NULL;
    struct entry *e = &known->table[slot_of(known->table, known->cap, id)];
    return e->id ? e : NULL;
}

static enum mt_rc content_of(struct mt_known *known, const struct mt_message *m, uint64_t *out)
{
    uint8_t digest[MT_MESSAGE_DIGEST_LEN];
    enum mt_rc rc = mt_message_digest(m, &known->scratch, digest);

    memcpy(out, digest, sizeof *out);
    return rc;
}

static enum mt_rc load_message(struct mt_known *known, const struct mt_json *line, const char *id,
                               int64_t time_ms)
{
    const char *raw = mt_json_str(mt_json_get(line, "raw"));
    struct mt_message m;
    struct entry *e = NULL;
    uint64_t content = 0;
    enum mt_rc rc;

    memset(&m, 0, sizeof m);
    if (raw) {
        size_t len = strlen(raw);
        uint8_t *bytes = NULL;
        size_t bytes_n = 0;

        mt_arena_reset(known->arena);
        bytes = mt_arena_alloc(known->arena, MT_BASE64_DECODED_MAX(len));
        if (!bytes)
            return MT_ERR_NOMEM;
        rc = mt_base64_decode(raw, len, bytes, &bytes_n);
        if (!rc)
            rc = known->provider->decode(known->account, bytes, bytes_n, known->arena, &m);
        if (!rc)
            rc = content_of(known, &m, &content);
        if (rc == MT_ERR_NOMEM)
            return rc;
    }
    rc = put(known, id, &e);
    if (rc)
        return rc;
    e->content = content; /* the latest line wins: an edit replaces what it edits */
    if (!e->time_ms || time_ms < e->time_ms)
        e->time_ms = time_ms;
    return MT_OK;
}

static enum mt_rc load_gap(struct mt_known *known, const struct mt_json *line)
{
    int64_t since = mt_json_i64(mt_json_get(line, "since"), 0);
    int64_t until = mt_json_i64(mt_json_get(line, "until"), 0);

    if (mt_json_bool(mt_json_get(line, "closed"), false)) {
        size_t kept = 0;
        for (size_t i = 0; i < known->gaps_n; i++) {
            if (known->gaps[i].since_ms != since || known->gaps[i].until_ms != until)
                known->gaps[kept++] = known->gaps[i];
        }
        known->gaps_n = kept;
        return MT_OK;
    }
    if (known->gaps_n >= GAPS_MAX)
        return MT_ERR_LIMIT;
    if (known->gaps_n == known->gaps_cap) {
        size_t cap = known->gaps_cap ? known->gaps_cap * 2 : 8;
        struct mt_known_gap *gaps = mt_mem_realloc(known->gaps, cap * sizeof *gaps);
        if (!gaps)
            return MT_ERR_NOMEM;
        known->gaps = gaps;
        known->gaps_cap = cap;
    }
    known->gaps[known->gaps_n].since_ms = since;
    known->gaps[known->gaps_n].until_ms = until;
    known->gaps_n++;
    return MT_OK;
}

/* NULL: it has none; the archive writes "0" for that. */
static const char *id_of(const struct mt_json *line, const char *key)
{
    const char *id = mt_json_str(mt_json_get(line, key));

    return mt_id_is(id) && strcmp(id, "0") != 0 ? id : NULL;
}

static enum mt_rc load_line(void *ud, const char *text, size_t len)
{
    struct mt_known *known = ud;
    struct mt_json *line = NULL;
    struct mt_fault ignored;
    enum mt_rc rc = mt_json_parse(text, len, LINE_MAX_BYTES, &line, &ignored);

    if (rc)
        return rc == MT_ERR_NOMEM ? rc : MT_ERR_DAMAGED;
    const char *type = mt_json_str(mt_json_get(line, "type"));
    int64_t time_ms = mt_json_i64(mt_json_get(line, "time"), 0);
    const char *id = id_of(line, "id");
    const char *target = id_of(line, "target");
    if (type && !strcmp(type, "gap")) {
        rc = MT_OK; /* mt_known_load_gaps has them */
    } else if (type && !strcmp(type, "recall")) {
        struct entry *e = find(known, target);
        if (e)
            e->recalled = true;
        if (id && !mt_id_same(id, target)) { /* the cloud's own recall entry has an id of its own */
            rc = put(known, id, &e);
            if (!rc)
                e->recalled = true;
        }
    } else if (type && !strcmp(type, "edit")) {
        if (target)
            rc = load_message(known, line, target, time_ms);
        if (!rc && id && !mt_id_same(id, target))
            rc = load_message(known, line, id, time_ms);
    } else if (id) {
        rc = load_message(known, line, id, time_ms);
    }
    mt_json_free(line);
    return rc;
}

/* Most lines are messages, and long: only what may be a gap is parsed. */
static enum mt_rc load_gap_line(void *ud, const char *text, size_t len)
{
    static const char mark[] = "\"type\":\"gap\"";
    struct mt_known *known = ud;
    struct mt_json *line = NULL;
    struct mt_fault ignored;
    enum mt_rc rc = MT_OK;

    if (!memmem(text, len, mark, sizeof mark - 1))
        return MT_OK;
    rc = mt_json_parse(text, len, LINE_MAX_BYTES, &line, &ignored);
    if (rc)
        return rc == MT_ERR_NOMEM ? rc : MT_ERR_DAMAGED;
    const char *type = mt_json_str(mt_json_get(line, "type"));
    if (type && !strcmp(type, "gap"))
        rc = load_gap(known, line);
    mt_json_free(line);
    return rc;
}

enum mt_rc mt_known_load_gaps(struct mt_known *known, struct mt_archive *archive,
                              const char *conversation, struct mt_fault *fault)
{
    return mt_archive_lines(archive, conversation, 0, 0, load_gap_line, known, fault);
}

enum mt_rc mt_known_load(struct mt_known *known, struct mt_archive *archive,
                         const char *conversation, int64_t since_ms, struct mt_fault *fault)
{
    known->since_ms = since_ms;
    return mt_archive_lines(archive, conversation, since_ms, 0, load_line, known, fault);
}

enum mt_rc mt_known_see(struct mt_known *known, const struct mt_message *m,
                        enum mt_known_verdict *verdict)
{
    const char *id = mt_id_is(m->id) ? m->id : "0";
    struct entry *e = find(known, id);
    uint64_t content = 0;
    enum mt_rc rc = content_of(known, m, &content);

    if (rc)
        return rc;
    if (!e) {
        rc = put(known, id, &e);
        if (rc)
            return rc;
        e->time_ms = m->time_ms;
        e->content = content;
        *verdict = MT_KNOWN_NEW;
    } else {
        *verdict = e->content == content ? MT_KNOWN_SAME : MT_KNOWN_CHANGED;
        e->content = content;
    }
    e->seen = true;
    return MT_OK;
}

enum mt_rc mt_known_gone(struct mt_known *known, int64_t since_ms,
                         enum mt_rc (*gone)(void *ud, const char *id), void *ud)
{
    for (size_t i = 0; i < known->cap; i++) {
        struct entry *e = &known->table[i];
        if (!e->id || e->seen || e->recalled || e->time_ms < since_ms)
            continue;
        enum mt_rc rc = gone(ud, e->id);
        if (rc)
            return rc;
        e->recalled = true;
    }
    return MT_OK;
}

const struct mt_known_gap *mt_known_gaps(const struct mt_known *known, size_t *n)
{
    *n = known->gaps_n;
    return known->gaps;
}
