/* The proof: each record follows the one before, the first names the key, and what the signed heads
 * say was the last is there, unchanged. */
#include "policy/audit_read.h"

#include "base/mem.h"
#include "policy/audit_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct prove {
    struct mt_audit_proof *proof;
    const struct mt_au_head *own, *anchored;
    uint8_t public_key[MT_SIGN_KEY_LEN];
    struct mt_audit open; /* its set of intents alone */
    struct mt_fault *fault;
};

static enum mt_rc check_place(const struct mt_au_head *head, const struct mt_au_place *place,
                              struct mt_fault *fault)
{
    if (head->place.seq != place->seq)
        return MT_OK;
    return strcmp(head->place.sha256, place->sha256) != 0 ||
                   head->place.segment != place->segment || head->place.start != place->start ||
                   head->place.end != place->end
               ? mt_au_damaged(fault, place->seq, "it is not the one that was signed")
               : MT_OK;
}

static enum mt_rc prove_one(void *ud, const struct mt_au_place *place, const char *line, size_t len)
{
    struct prove *prove = ud;
    struct mt_au_line parsed;
    enum mt_rc rc = mt_au_parse(line, len, &parsed);

    if (rc)
        return rc == MT_ERR_NOMEM ? mt_au_nomem(prove->fault)
                                  : mt_au_damaged(prove->fault, place->seq, "it is no record");
    int64_t at_ms = mt_json_i64(mt_json_get(parsed.json, "at"), 0);
    mt_au_open_take_line(&prove->open, &parsed, place);
    mt_json_free(parsed.json);
    if (place->seq == 1)
        rc = mt_au_first_check(line, len, prove->public_key, prove->fault);
    if (!rc)
        rc = check_place(prove->own, place, prove->fault);
    if (!rc)
        rc = check_place(prove->anchored, place, prove->fault);
    if (rc)
        return rc;
    if (!prove->proof->records_n)
        prove->proof->first_ms = at_ms;
    prove->proof->last_ms = at_ms;
    prove->proof->records_n = place->seq;
    return MT_OK;
}

static enum mt_rc read_public(const char *dir, uint8_t key[MT_SIGN_KEY_LEN], struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    char *text = NULL;
    size_t len = 0;

    mt_au_path(dir, "key.pub", path);
    int err = mt_fs_read_all(path, 1024, &text, &len);
    if (err && err != ENOENT && err != EFBIG)
        return mt_fs_fault(fault, err, "read", path);
    bool fine = !err && mt_sign_read_public(text, len, key);
    mt_mem_free(text);
    return fine ? MT_OK
                : mt_fault_set(fault, MT_ERR_DAMAGED, "audit.key",
                               "the audit's public key is gone or damaged: %.160s", path);
}

static enum mt_rc no_log(struct mt_fault *fault, const char *dir)
{
    return mt_fault_set(fault, MT_ERR_NOT_FOUND, "audit.none", "there is no audit in %.180s", dir);
}

/* All that changes with an append, while nobody appends. */
static enum mt_rc look(const char *dir, const char *anchor, struct prove *prove,
                       struct mt_au_head *own, struct mt_au_head *anchored, struct mt_au_end *end)
{
    char path[MT_AU_PATH_MAX];
    int fd = -1;
    enum mt_rc rc = mt_au_lock(dir, false, &fd, prove->fault);

    if (rc == MT_ERR_NOT_FOUND)
        return no_log(prove->fault, dir);
    mt_au_path(dir, "HEAD", path);
    if (!rc)
        rc = read_public(dir, prove->public_key, prove->fault);
    if (!rc)
        rc = mt_au_find_end(dir, end, prove->fault);
    if (!rc)
        rc = mt_au_head_read(path, prove->public_key, own, prove->fault);
    if (!rc && anchor)
        rc = mt_au_head_read(anchor, prove->public_key, anchored, prove->fault);
    mt_au_unlock(&fd);
    return rc;
}

static enum mt_rc cut(struct prove *prove, const struct mt_au_head *head, const char *whose)
{
    prove->proof->bad_seq = prove->proof->records_n + 1;
    return mt_fault_set(prove->fault, MT_ERR_STATE, "audit.cut",
                        "the audit was cut behind record %llu: %s signs record %llu",
                        (unsigned long long)prove->proof->records_n, whose,
                        (unsigned long long)head->place.seq);
}

static enum mt_rc prove_ends(struct prove *prove, const char *anchor)
{
    uint64_t n = prove->proof->records_n;

    if (prove->own->place.seq > n)
        return cut(prove, prove->own, "its head");
    if (prove->anchored->place.seq > n)
        return cut(prove, prove->anchored, "the anchor");
    if (!prove->own->place.seq) {
        prove->proof->bad_seq = n + 1;
        return mt_fault_set(prove->fault, MT_ERR_DAMAGED, "audit.head", "the audit's head is gone");
    }
    return mt_au_anchor_check(anchor, prove->own, prove->anchored, prove->fault);
}

static enum mt_rc prove_all(const char *dir, const char *anchor, struct prove *prove,
                            struct mt_au_head *own, struct mt_au_head *anchored)
{
    struct mt_audit_proof *proof = prove->proof;
    struct mt_au_place at;
    struct mt_au_end end = {.segments_n = 0};
    enum mt_rc rc = look(dir, anchor, prove, own, anchored, &end);

    if (rc)
        return rc;
    mt_hex(prove->public_key, MT_SIGN_KEY_LEN, proof->key);
    proof->head_seq = own->place.seq;
    proof->anchor_seq = anchored->place.seq;
    proof->segments_n = end.segments_n;
    mt_au_none(&at);
    mt_au_open_none(&prove->open);
    if (!prove->open.open)
        return mt_au_nomem(prove->fault);
    rc = mt_au_walk(dir, &end, &at, prove_one, prove, &proof->torn_bytes, prove->fault);
    memcpy(proof->sha256, at.sha256, sizeof proof->sha256);
    if (prove->open.open)
        proof->open_n = mt_map_count(prove->open.open);
    if (rc == MT_ERR_DAMAGED || rc == MT_ERR_STATE)
        proof->bad_seq = proof->records_n + 1;
    return rc ? rc : prove_ends(prove, anchor);
}

enum mt_rc mt_audit_prove(const char *dir, const char *anchor, struct mt_audit_proof *proof,
                          struct mt_fault *fault)
{
    struct mt_fault unasked;
    struct mt_au_head *heads = mt_mem_calloc(2, sizeof *heads);
    struct prove prove = {.proof = proof, .fault = fault ? fault : &unasked};

    memset(proof, 0, sizeof *proof);
    if (!heads)
        return mt_au_nomem(fault);
    prove.own = &heads[0];
    prove.anchored = &heads[1];
    enum mt_rc rc = prove_all(dir, anchor, &prove, &heads[0], &heads[1]);
    mt_au_open_forget(&prove.open);
    mt_mem_free(heads);
    return rc;
}

/* ---------------------------------------------------------------- reading */

#define LOOK_MAX  10000
#define PAGE_MAX  ((size_t)4 << 20)
#define TEXTS_MAX 3

struct mt_audit_reader {
    char *dir;
    struct mt_audit_filter filter;
    char *texts[TEXTS_MAX];
    struct mt_au_end end;
    struct mt_au_place at;
    struct mt_map *intents; /* that were given, without a result */
    struct mt_buf *out;
    size_t looked_n;
    struct mt_fault *fault;
};

static bool is_same(const struct mt_json *record, const char *key, const char *want)
{
    const char *s = mt_json_str(mt_json_get(record, key));
    return s && !strcmp(s, want);
}

static bool has_id(const struct mt_json *record, const char *id)
{
    const struct mt_json *item = mt_json_child(mt_json_get(record, "ids"));

    while (item && (!mt_json_str(item) || strcmp(mt_json_str(item), id) != 0))
        item = mt_json_next(item);
    return item != NULL;
}

static bool is_wanted(const struct mt_audit_filter *filter, const struct mt_json *record)
{
    int64_t at_ms = mt_json_i64(mt_json_get(record, "at"), 0);

    return (!filter->since_ms || at_ms >= filter->since_ms) &&
           (!filter->until_ms || at_ms < filter->until_ms) &&
           (!filter->account || is_same(record, "account", filter->account) ||
            is_same(record, "user", filter->account)) &&
           (!filter->verb || is_same(record, "verb", filter->verb)) &&
           (!filter->id || has_id(record, filter->id));
}

static enum mt_rc take_record(struct mt_audit_reader *reader, const struct mt_au_line *line,
                              bool *wanted)
{
    bool is_result = is_same(line->json, "type", "result");
    uint64_t intent = 0;
    char key[24];

    (void)mt_json_u64(mt_json_get(line->json, "intent"), &intent);
    snprintf(key, sizeof key, "%llu", (unsigned long long)(is_result ? intent : line->seq));
    *wanted = is_wanted(&reader->filter, line->json);
    if (is_result)
        *wanted = mt_map_remove(reader->intents, key) || *wanted;
    else if (*wanted && is_same(line->json, "type", "intent"))
        return mt_map_put(reader->intents, key, reader);
    return MT_OK;
}

static enum mt_rc read_one(void *ud, const struct mt_au_place *place, const char *line, size_t len)
{
    struct mt_audit_reader *reader = ud;
    struct mt_au_line parsed;
    bool wanted = false;

    if (reader->looked_n == LOOK_MAX || reader->out->len > PAGE_MAX)
        return MT_ERR_CANCELLED; /* it is taken with the next page */
    enum mt_rc rc = mt_au_parse(line, len, &parsed);
    if (!rc) {
        rc = take_record(reader, &parsed, &wanted);
        mt_json_free(parsed.json);
    }
    if (!rc && wanted) {
        (void)mt_buf_append(reader->out, line, len);
        rc = mt_buf_append_char(reader->out, '\n');
    }
    reader->looked_n++;
    if (rc == MT_ERR_DAMAGED)
        return mt_au_damaged(reader->fault, place->seq, "it is no record");
    return rc ? mt_au_nomem(reader->fault) : MT_OK;
}

static enum mt_rc copy_text(struct mt_audit_reader *reader, size_t i, const char **text)
{
    if (*text) {
        reader->texts[i] = mt_mem_strdup(*text);
        *text = reader->texts[i];
        if (!*text)
            return MT_ERR_NOMEM;
    }
    return MT_OK;
}

enum mt_rc mt_audit_reader_open(const char *dir, const struct mt_audit_filter *filter,
                                struct mt_audit_reader **out, struct mt_fault *fault)
{
    struct mt_audit_reader *reader = mt_mem_calloc(1, sizeof *reader);
    int fd = -1;
    enum mt_rc rc = MT_OK;

    *out = NULL;
    if (!reader)
        return mt_au_nomem(fault);
    mt_au_none(&reader->at);
    if (filter)
        reader->filter = *filter;
    reader->dir = mt_mem_strdup(dir);
    reader->intents = mt_map_new();
    if (!reader->dir || !reader->intents || copy_text(reader, 0, &reader->filter.account) ||
        copy_text(reader, 1, &reader->filter.verb) || copy_text(reader, 2, &reader->filter.id))
        rc = mt_au_nomem(fault);
    if (!rc) {
        rc = mt_au_lock(dir, false, &fd, fault);
        if (rc == MT_ERR_NOT_FOUND)
            rc = no_log(fault, dir);
    }
    if (!rc)
        rc = mt_au_find_end(dir, &reader->end, fault);
    mt_au_unlock(&fd);
    if (rc)
        mt_audit_reader_close(reader);
    else
        *out = reader;
    return rc;
}

enum mt_rc mt_audit_reader_next(struct mt_audit_reader *reader, struct mt_buf *out, bool *more,
                                struct mt_fault *fault)
{
    int64_t torn = 0;

    reader->out = out;
    reader->fault = fault;
    reader->looked_n = 0;
    enum mt_rc rc =
        mt_au_walk(reader->dir, &reader->end, &reader->at, read_one, reader, &torn, fault);
    *more = rc == MT_ERR_CANCELLED;
    return *more ? MT_OK : rc;
}

void mt_audit_reader_close(struct mt_audit_reader *reader)
{
    if (!reader)
        return;
    mt_map_free(reader->intents, NULL);
    for (size_t i = 0; i < TEXTS_MAX; i++)
        mt_mem_free(reader->texts[i]);
    mt_mem_free(reader->dir);
    mt_mem_free(reader);
}
