/* What the cloud says of a message besides its content (rongcloud.md 4.3): expansion, edits, marks,
 * push texts. The keys are listed in docs/messages.md. */
#include "provider/rongcloud/map_int.h"

#include "base/arena.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

#define JSON_MAX ((size_t)256 * 1024)

/* Bits of status, extStatus and optionBits. */
#define STATUS_RETRIEVED   2
#define STATUS_SILENT      512
#define STATUS_EXPANDABLE  1024
#define EXT_INTERRUPTED    2
#define EXT_MODIFIED       4
#define EXT_PRIVATE        8
#define OPTION_NO_UPDATE   1
#define OPTION_RECEIPT     2
#define OPTION_RECEIPT_OUT 4

static struct mt_json *parse(const char *text, size_t len)
{
    struct mt_json *json = NULL;

    return len > 0 && mt_json_parse(text, len, JSON_MAX, &json, NULL) == MT_OK ? json : NULL;
}

/* {"k":{"v":"value"}}; a value without the inner map is taken as it is. */
static void add_expansion(struct mt_fields *extra, const ProtobufCBinaryData *bytes)
{
    struct mt_json *json = parse((const char *)bytes->data, bytes->len);
    struct mt_fields map;

    if (mt_json_type(json) != MT_JSON_OBJECT) {
        mt_json_free(json);
        mt_fields_strn(extra, "expansion", (const char *)bytes->data, bytes->len);
        return;
    }
    mt_fields_init(&map, extra->arena);
    for (const struct mt_json *m = mt_json_child(json); m != NULL; m = mt_json_next(m)) {
        const struct mt_json *inner = mt_json_get(m, "v");
        const char *key = mt_arena_strdup(extra->arena, mt_json_key(m));
        struct mt_value *slot = key ? mt_fields_slot(&map, key) : NULL;

        if (key == NULL)
            map.failed = MT_ERR_NOMEM;
        if (slot == NULL)
            break;
        if (mt_value_from_json(inner ? inner : m, extra->arena, slot) != MT_OK)
            map.failed = MT_ERR_NOMEM;
    }
    mt_json_free(json);
    if (map.failed != MT_OK)
        extra->failed = map.failed;
    if (map.n > 0)
        mt_fields_value(extra, "expansion", mt_fields_end(&map));
}

/* {"modify":{"time":…}}: the key is that of the other cloud's edits. */
static void add_edit(struct mt_fields *extra, const Rongcloud__DownStreamMessage *m)
{
    struct mt_json *json = m->convertext ? parse(m->convertext, strlen(m->convertext)) : NULL;
    int64_t time_ms = mt_json_i64(mt_json_get(mt_json_get(json, "modify"), "time"), 0);
    struct mt_fields map;

    mt_json_free(json);
    if (time_ms <= 0 && !(m->has_extstatus && (m->extstatus & EXT_MODIFIED)))
        return;
    mt_fields_init(&map, extra->arena);
    if (time_ms > 0)
        mt_fields_int(&map, "edit_time", time_ms);
    if (map.failed != MT_OK)
        extra->failed = map.failed;
    mt_fields_value(extra, "edit", mt_fields_end(&map));
}

static void add_push(struct mt_fields *extra, const Rongcloud__DownStreamMessage *m)
{
    struct mt_fields map;

    mt_fields_init(&map, extra->arena);
    mt_fields_str(&map, "text", m->pushcontent);
    if (m->pushext != NULL) {
        mt_fields_str(&map, "title", m->pushext->title);
        mt_fields_str(&map, "id", m->pushext->pushid);
        mt_fields_str(&map, "configs", m->pushext->pushconfigs);
        mt_fields_str(&map, "template", m->pushext->templateid);
    }
    if (map.failed != MT_OK)
        extra->failed = map.failed;
    if (map.n > 0)
        mt_fields_value(extra, "push", mt_fields_end(&map));
}

static void add_only(struct mt_fields *extra, char *const *users, size_t n)
{
    struct mt_value *items = n > 0 ? mt_arena_calloc(extra->arena, n, sizeof *items) : NULL;

    if (n == 0)
        return;
    for (size_t i = 0; items != NULL && i < n; i++) {
        const char *copy = mt_arena_strdup(extra->arena, users[i]);

        if (copy == NULL)
            extra->failed = MT_ERR_NOMEM;
        else
            items[i] = mt_value_of_str(copy);
    }
    if (items == NULL)
        extra->failed = MT_ERR_NOMEM;
    else
        mt_fields_value(extra, "only",
                        (struct mt_value){.type = MT_VALUE_LIST, .items = items, .items_n = n});
}

static void add_bit(struct mt_fields *extra, const char *key, int64_t bits, int64_t bit)
{
    if (bits & bit)
        mt_fields_bool(extra, key, true);
}

void mt_rong_extra(struct mt_fields *extra, const Rongcloud__DownStreamMessage *m)
{
    int64_t ext = m->has_extstatus ? m->extstatus : 0;
    int64_t options = m->has_optionbits ? m->optionbits : 0;
    char seq[24];

    if (m->has_extracontent && m->extracontent.len > 0)
        add_expansion(extra, &m->extracontent);
    else
        add_bit(extra, "expandable", m->status, STATUS_EXPANDABLE);
    add_edit(extra, m);
    add_bit(extra, "retrieved", m->status, STATUS_RETRIEVED);
    add_bit(extra, "silent", m->status, STATUS_SILENT);
    add_bit(extra, "interrupted", ext, EXT_INTERRUPTED);
    add_bit(extra, "private_channel", ext, EXT_PRIVATE);
    add_bit(extra, "no_update_last", options, OPTION_NO_UPDATE);
    add_bit(extra, "group_ack", options, OPTION_RECEIPT);
    add_bit(extra, "receipt_sent", options, OPTION_RECEIPT_OUT);
    if (m->has_isremoved && m->isremoved != 0)
        mt_fields_bool(extra, "removed", true);
    mt_fields_str(extra, "source", m->source);
    mt_fields_str(extra, "metadata", m->metadata);
    add_only(extra, m->touserids, m->n_touserids);
    add_push(extra, m);
    if (m->extmsgdata != NULL && m->extmsgdata->has_seqid) { /* may exceed 2^53 */
        snprintf(seq, sizeof seq, "%lld", (long long)m->extmsgdata->seqid);
        mt_fields_str(extra, "seq_id", seq);
    }
}
