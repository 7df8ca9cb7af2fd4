/* Which intents have no result. Followed in memory while the log is open, kept in OPEN beside each
 * signed head, so that a start reads no more than what came after it; and read from the whole log
 * when OPEN is not there or does not belong to the head. */
#include "policy/audit_int.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_N_MAX 80000 /* a reader of JSON takes 500,000 values */

static void key_of(uint64_t number, char out[24])
{
    snprintf(out, 24, "%llu", (unsigned long long)number);
}

void mt_au_open_forget(struct mt_audit *audit)
{
    mt_map_free(audit->open, mt_mem_free);
    audit->open = NULL;
}

void mt_au_open_none(struct mt_audit *audit)
{
    mt_au_open_forget(audit);
    audit->open = mt_map_new();
}

static void put(struct mt_audit *audit, const struct mt_au_place *place, const char *user)
{
    struct mt_au_open *open = mt_mem_calloc(1, sizeof *open);
    char key[24];

    key_of(place->seq, key);
    if (open) {
        open->place = *place;
        snprintf(open->user, sizeof open->user, "%s", user ? user : "");
    }
    if (!open || mt_map_put(audit->open, key, open)) {
        mt_mem_free(open);
        mt_au_open_forget(audit);
    }
}

static void take(struct mt_audit *audit, bool is_intent, bool is_result, uint64_t intent,
                 const char *user, const struct mt_au_place *place)
{
    char key[24];

    if (!audit->open)
        return;
    if (is_intent)
        put(audit, place, user);
    if (is_result) {
        key_of(intent, key);
        mt_mem_free(mt_map_remove(audit->open, key));
    }
}

void mt_au_open_take(struct mt_audit *audit, const struct mt_audit_record *record,
                     const struct mt_au_place *place)
{
    take(audit, record->type == MT_AUDIT_INTENT, record->type == MT_AUDIT_RESULT, record->intent,
         record->user, place);
}

void mt_au_open_take_line(struct mt_audit *audit, const struct mt_au_line *line,
                          const struct mt_au_place *place)
{
    const char *type = mt_json_str(mt_json_get(line->json, "type"));
    uint64_t intent = 0;

    if (!type)
        return;
    (void)mt_json_u64(mt_json_get(line->json, "intent"), &intent);
    take(audit, !strcmp(type, "intent"), !strcmp(type, "result"), intent,
         mt_json_str(mt_json_get(line->json, "user")), place);
}

void mt_au_open_take_brief(struct mt_audit *audit, const struct mt_au_brief *brief,
                           const struct mt_au_place *place)
{
    take(audit, brief->is_intent, brief->is_result, brief->intent, NULL, place);
}

/* ---------------------------------------------------------------- OPEN */

static bool write_one(void *ud, const char *key, void *value)
{
    struct mt_jsonw *w = ud;
    const struct mt_au_open *open = value;

    (void)key;
    mt_jsonw_array(w);
    mt_jsonw_u64(w, open->place.seq);
    mt_jsonw_u64(w, open->place.segment);
    mt_jsonw_i64(w, open->place.start);
    mt_jsonw_i64(w, open->place.end);
    mt_jsonw_str(w, open->user);
    mt_jsonw_array_end(w);
    return true;
}

/* Not synced, and a failure is nobody's harm: it says by its hash whether it belongs to HEAD. */
void mt_au_open_save(struct mt_audit *audit)
{
    char path[MT_AU_PATH_MAX];
    char tmp[MT_AU_PATH_MAX];
    struct mt_buf text;
    struct mt_jsonw w;
    int fd = -1;

    if (!audit->open || mt_map_count(audit->open) > OPEN_N_MAX)
        return;
    mt_au_path(audit->dir, "OPEN", path);
    mt_au_path(audit->dir, "OPEN.tmp", tmp);
    mt_buf_init(&text, MT_AU_OPEN_MAX);
    mt_jsonw_init(&w, &text);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "seq");
    mt_jsonw_u64(&w, audit->last.seq);
    mt_jsonw_key(&w, "sha256");
    mt_jsonw_str(&w, audit->last.sha256);
    mt_jsonw_key(&w, "open");
    mt_jsonw_array(&w);
    mt_map_each(audit->open, write_one, &w);
    mt_jsonw_array_end(&w);
    mt_jsonw_object_end(&w);
    (void)mt_buf_append_char(&text, '\n');
    if (!text.failed && !mt_fs_open(tmp, MT_FS_WRITE | MT_FS_CREATE | MT_FS_TRUNCATE, &fd)) {
        bool fine = !mt_fs_write(fd, text.data, text.len);
        fine = !mt_fs_close(fd) && fine;
        if (!fine || mt_fs_rename(tmp, path))
            mt_fs_unlink(tmp);
    }
    mt_buf_deinit(&text);
}

static bool read_one(struct mt_audit *audit, const struct mt_json *item)
{
    const struct mt_json *part = mt_json_child(item);
    struct mt_au_place place;
    uint64_t segment = 0;

    mt_au_none(&place);
    if (!mt_json_u64(part, &place.seq))
        return false;
    part = mt_json_next(part);
    if (!mt_json_u64(part, &segment) || !segment || segment > MT_AU_SEGMENTS_MAX)
        return false;
    place.segment = (uint32_t)segment;
    part = mt_json_next(part);
    place.start = mt_json_i64(part, -1);
    part = mt_json_next(part);
    place.end = mt_json_i64(part, -1);
    part = mt_json_next(part);
    if (place.start < 0 || place.end <= place.start || !mt_json_str(part))
        return false;
    put(audit, &place, mt_json_str(part));
    return audit->open != NULL;
}

void mt_au_open_load(struct mt_audit *audit, const struct mt_au_place *head)
{
    char path[MT_AU_PATH_MAX];
    struct mt_json *json = NULL;
    char *text = NULL;
    size_t len = 0;
    uint64_t seq = 0;

    mt_au_open_forget(audit);
    mt_au_path(audit->dir, "OPEN", path);
    if (mt_fs_read_all(path, MT_AU_OPEN_MAX, &text, &len))
        return;
    const char *sha256 = NULL;
    if (!mt_json_parse(text, len, MT_AU_OPEN_MAX, &json, NULL))
        sha256 = mt_json_str(mt_json_get(json, "sha256"));
    if (sha256 && mt_json_u64(mt_json_get(json, "seq"), &seq) && seq == head->seq &&
        !strcmp(sha256, head->sha256)) {
        const struct mt_json *item = mt_json_child(mt_json_get(json, "open"));
        mt_au_open_none(audit);
        while (item && audit->open && read_one(audit, item))
            item = mt_json_next(item);
        if (item)
            mt_au_open_forget(audit);
    }
    mt_json_free(json);
    mt_mem_free(text);
}

/* ---------------------------------------------------------------- what is left open */

static enum mt_rc rebuild_one(void *ud, const struct mt_au_place *place, const char *line,
                              size_t len)
{
    struct mt_audit *audit = ud;
    struct mt_au_line parsed;
    enum mt_rc rc = mt_au_parse(line, len, &parsed);

    if (rc)
        return rc;
    mt_au_open_take_line(audit, &parsed, place);
    mt_json_free(parsed.json);
    return audit->open ? MT_OK : MT_ERR_NOMEM;
}

/* From the first record to the last one known. */
static enum mt_rc rebuild(struct mt_audit *audit, struct mt_fault *fault)
{
    struct mt_au_end end;
    struct mt_au_place at;
    int64_t torn = 0;
    enum mt_rc rc = mt_au_find_end(audit->dir, &end, fault);

    if (rc)
        return rc;
    end.segments_n = audit->last.segment;
    end.size = audit->last.end;
    rc = mt_au_from(audit->dir, &end, &at, fault);
    if (rc)
        return rc;
    mt_au_open_none(audit);
    mt_fault_set(fault, MT_OK, "", "%s", "");
    rc = audit->open ? mt_au_walk(audit->dir, &end, &at, rebuild_one, audit, &torn, fault)
                     : MT_ERR_NOMEM;
    if (!rc && (torn || at.seq != audit->last.seq))
        rc = mt_au_damaged(fault, at.seq + 1, "it is no record");
    if (rc)
        mt_au_open_forget(audit);
    if (rc == MT_ERR_NOMEM)
        return mt_au_nomem(fault);
    return rc == MT_ERR_DAMAGED && fault && !fault->code[0]
               ? mt_au_damaged(fault, at.seq + 1, "it is no record")
               : rc;
}

enum mt_rc mt_au_open_need(struct mt_audit *audit, struct mt_fault *fault)
{
    return audit->open ? MT_OK : rebuild(audit, fault);
}

struct until {
    uint64_t seq;
    char (*keys)[24];
    size_t n;
};

static bool until_one(void *ud, const char *key, void *value)
{
    struct until *until = ud;
    const struct mt_au_open *open = value;

    if (open->place.seq > until->seq)
        return true;
    if (until->keys)
        snprintf(until->keys[until->n], sizeof *until->keys, "%s", key);
    until->n++;
    return true;
}

size_t mt_au_open_until(struct mt_audit *audit, uint64_t seq, bool drop)
{
    struct until until = {.seq = seq};

    if (!audit->open)
        return 0;
    mt_map_each(audit->open, until_one, &until);
    if (!drop || !until.n)
        return until.n;
    until.keys = mt_mem_calloc(until.n, sizeof *until.keys);
    if (!until.keys) {
        mt_au_open_forget(audit); /* it is read from what there is when it is needed */
        return until.n;
    }
    until.n = 0;
    mt_map_each(audit->open, until_one, &until);
    for (size_t i = 0; i < until.n; i++)
        mt_mem_free(mt_map_remove(audit->open, until.keys[i]));
    mt_mem_free(until.keys);
    return until.n;
}

struct gather {
    const char *user;
    struct mt_au_open *items;
    size_t n;
};

static bool gather_one(void *ud, const char *key, void *value)
{
    struct gather *gather = ud;
    const struct mt_au_open *open = value;

    (void)key;
    if (!gather->user || !strcmp(gather->user, open->user))
        gather->items[gather->n++] = *open;
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct mt_au_open *)a)->place.seq;
    uint64_t y = ((const struct mt_au_open *)b)->place.seq;

    return x < y ? -1 : x > y;
}

/* The intent of a line, told on. */
static enum mt_rc tell(const char *text, size_t len, uint64_t number, mt_audit_open_fn *each,
                       void *ud, struct mt_fault *fault)
{
    struct mt_au_line line;
    enum mt_rc rc = mt_au_parse(text, len, &line);

    if (rc)
        return rc == MT_ERR_NOMEM ? mt_au_nomem(fault)
                                  : mt_au_damaged(fault, number, "it is no record");
    const struct mt_json *ids = mt_json_get(line.json, "ids");
    const char **list = mt_mem_calloc(mt_json_count(ids) + 1, sizeof *list);
    struct mt_buf detail;
    mt_buf_init(&detail, MT_AU_LINE_MAX);
    if (!list) {
        mt_json_free(line.json);
        return mt_au_nomem(fault);
    }
    struct mt_audit_record record = {
        .type = MT_AUDIT_INTENT,
        .account = mt_json_str(mt_json_get(line.json, "account")),
        .user = mt_json_str(mt_json_get(line.json, "user")),
        .actor = mt_json_str(mt_json_get(line.json, "actor")),
        .verb = mt_json_str(mt_json_get(line.json, "verb")),
        .conversation = mt_json_str(mt_json_get(line.json, "conversation")),
        .why = mt_json_str(mt_json_get(line.json, "why")),
        .ids = list,
    };
    for (const struct mt_json *id = mt_json_child(ids); id; id = mt_json_next(id))
        if (mt_json_str(id))
            list[record.ids_n++] = mt_json_str(id);
    const struct mt_json *node = mt_json_get(line.json, "detail");
    if (node && !mt_json_print(node, &detail))
        record.detail = detail.data;
    if (line.seq != number)
        rc = mt_au_damaged(fault, number, "another one is in its place");
    else
        rc = each(ud, number, &record);
    mt_buf_deinit(&detail);
    mt_mem_free(list);
    mt_json_free(line.json);
    return rc;
}

enum mt_rc mt_audit_unsettled(struct mt_audit *audit, const char *account, mt_audit_open_fn *each,
                              void *ud, struct mt_fault *fault)
{
    struct gather gather = {.user = account};
    enum mt_rc rc = MT_OK;

    if (audit->failed)
        return mt_fault_set(fault, MT_ERR_STATE, "audit.failed",
                            "the audit failed before and takes nothing any more");
    rc = mt_au_lock(audit->dir, false, &audit->lock_fd, fault);
    if (rc)
        return rc;
    rc = mt_au_catch_up(audit, fault);
    if (!rc)
        rc = mt_au_open_need(audit, fault);
    mt_au_unlock(&audit->lock_fd);
    if (rc)
        return rc;
    gather.items = mt_mem_calloc(mt_map_count(audit->open) + 1, sizeof *gather.items);
    if (!gather.items)
        return mt_au_nomem(fault);
    mt_map_each(audit->open, gather_one, &gather);
    qsort(gather.items, gather.n, sizeof *gather.items, by_number);
    struct mt_au_file file;
    mt_au_file_init(&file);
    for (size_t i = 0; i < gather.n && !rc; i++) {
        char *line = NULL;
        size_t len = 0;
        rc = mt_au_line_at(&file, audit->dir, &gather.items[i].place, &line, &len, fault);
        if (rc == MT_ERR_NOT_FOUND)
            rc = mt_au_damaged(fault, gather.items[i].place.seq, "it is no longer there");
        if (!rc)
            rc = tell(line, len, gather.items[i].place.seq, each, ud, fault);
        mt_mem_free(line);
    }
    mt_au_file_close(&file);
    mt_mem_free(gather.items);
    return rc;
}
