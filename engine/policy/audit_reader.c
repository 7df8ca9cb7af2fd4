/* Reading the audit: what is asked for, page by page. */
#include "policy/audit_read.h"

#include "base/mem.h"
#include "base/str.h"
#include "policy/audit_int.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MAX  100000
#define PAGE_MAX  ((size_t)4 << 20)
#define TEXTS_MAX 7

struct mt_audit_reader {
    char *dir;
    struct mt_audit_filter filter;
    char *texts[TEXTS_MAX];
    struct mt_au_end end;
    struct mt_au_file file;
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

/* "single:bob" is a conversation with bob; another kind names no person. */
static bool has_person(const struct mt_json *record, const char *person)
{
    const char *conversation = mt_json_str(mt_json_get(record, "conversation"));

    return is_same(record, "user", person) ||
           (conversation && mt_str_starts(conversation, "single:") &&
            !strcmp(conversation + strlen("single:"), person));
}

static bool has_part(const struct mt_json *record, const char *key, const char *part)
{
    const char *s = mt_json_str(mt_json_get(record, key));
    return s && strstr(s, part);
}

/* An intent says "plan HASH" as its reason; the beginning and the end of a run have it apart. */
static bool has_plan(const struct mt_json *record, const char *plan)
{
    const char *why = mt_json_str(mt_json_get(record, "why"));
    const char *hash = mt_json_str(mt_json_get(mt_json_get(record, "detail"), "plan"));

    return (hash && mt_str_starts(hash, plan)) ||
           (why && mt_str_starts(why, "plan ") && mt_str_starts(why + strlen("plan "), plan));
}

static bool is_wanted(const struct mt_audit_filter *filter, const struct mt_json *record)
{
    int64_t at_ms = mt_json_i64(mt_json_get(record, "at"), 0);

    return (!filter->since_ms || at_ms >= filter->since_ms) &&
           (!filter->until_ms || at_ms < filter->until_ms) &&
           (!filter->account || is_same(record, "account", filter->account) ||
            is_same(record, "user", filter->account)) &&
           (!filter->verb || is_same(record, "verb", filter->verb)) &&
           (!filter->id || has_id(record, filter->id)) &&
           (!filter->conversation || is_same(record, "conversation", filter->conversation)) &&
           (!filter->person || has_person(record, filter->person)) &&
           (!filter->actor || has_part(record, "actor", filter->actor)) &&
           (!filter->plan || has_plan(record, filter->plan));
}

/* Whether a text stands in a line as it is, if anywhere: nothing in it is escaped. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            return false;
    return true;
}

/* False: it is not asked for, and its JSON need not be read to know that. */
static bool may_be_wanted(const struct mt_audit_reader *reader, const struct mt_au_brief *brief,
                          const char *line, size_t len)
{
    const struct mt_audit_filter *filter = &reader->filter;
    char key[24];

    snprintf(key, sizeof key, "%llu", (unsigned long long)brief->intent);
    if (brief->is_result && mt_map_get(reader->intents, key))
        return true;
    if ((filter->since_ms && brief->at_ms < filter->since_ms) ||
        (filter->until_ms && brief->at_ms >= filter->until_ms))
        return false;
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        const char *text = reader->texts[i];
        if (text && is_plain(text) && !memmem(line, len, text, strlen(text)))
            return false;
    }
    return true;
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
    struct mt_au_brief brief;
    bool wanted = false;

    if (reader->looked_n == LOOK_MAX || reader->out->len > PAGE_MAX)
        return MT_ERR_CANCELLED; /* it is taken with the next page */
    enum mt_rc rc = mt_au_brief_of(line, len, &brief);
    bool looks = !rc && may_be_wanted(reader, &brief, line, len);
    if (looks)
        rc = mt_au_parse(line, len, &parsed);
    if (looks && !rc) {
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

static enum mt_rc copy_texts(struct mt_audit_reader *reader)
{
    struct mt_audit_filter *filter = &reader->filter;
    const char **texts[TEXTS_MAX] = {&filter->account,      &filter->verb,   &filter->id,
                                     &filter->conversation, &filter->person, &filter->actor,
                                     &filter->plan};

    for (size_t i = 0; i < TEXTS_MAX; i++) {
        if (!*texts[i])
            continue;
        reader->texts[i] = mt_mem_strdup(*texts[i]);
        *texts[i] = reader->texts[i];
        if (!reader->texts[i])
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
    mt_au_file_init(&reader->file);
    if (filter)
        reader->filter = *filter;
    reader->dir = mt_mem_strdup(dir);
    reader->intents = mt_map_new();
    if (!reader->dir || !reader->intents || copy_texts(reader))
        rc = mt_au_nomem(fault);
    if (!rc) {
        rc = mt_au_lock(dir, false, &fd, fault);
        if (rc == MT_ERR_NOT_FOUND)
            rc = mt_au_no_log(fault, dir);
    }
    if (!rc)
        rc = mt_au_find_end(dir, &reader->end, fault);
    mt_au_unlock(&fd);
    if (!rc)
        rc = mt_au_from(dir, &reader->end, &reader->at, fault);
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
    enum mt_rc rc = mt_au_walk_on(&reader->file, reader->dir, &reader->end, &reader->at, read_one,
                                  reader, &torn, fault);
    *more = rc == MT_ERR_CANCELLED;
    return *more ? MT_OK : rc;
}

void mt_audit_reader_close(struct mt_audit_reader *reader)
{
    if (!reader)
        return;
    mt_au_file_close(&reader->file);
    mt_map_free(reader->intents, NULL);
    for (size_t i = 0; i < TEXTS_MAX; i++)
        mt_mem_free(reader->texts[i]);
    mt_mem_free(reader->dir);
    mt_mem_free(reader);
}
