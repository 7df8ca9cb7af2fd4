/* The extra map of a message: see extra_int.h and easemob.md §3.3. */
#include "provider/easemob/extra_int.h"

#include "base/arena.h"
#include "codec/json.h"
#include "provider/easemob/ext_int.h"

#include <string.h>

#define META_JSON_MAX ((size_t)1024 * 1024)

/* The cloud's names of members whose name here differs. */
static const struct {
    const char *theirs;
    const char *ours;
} names[] = {
    {"reaction", "reactions"},        {"edit_msg", "edit"}, {"isRead", "read"},
    {"isDelivered", "delivered"},     {"thread", "thread"}, {"thread_overview", "thread_overview"},
    {"translations", "translations"},
};

static const char *our_name(const char *theirs, struct mt_arena *arena)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].theirs, theirs) == 0)
            return names[i].ours;
    return mt_arena_strdup(arena, theirs);
}

enum mt_rc mt_em_extra_body(struct mt_fields *extra, const struct mt_json *meta)
{
    if (mt_json_type(meta) != MT_JSON_OBJECT)
        return MT_OK;
    for (const struct mt_json *m = mt_json_child(meta); m != NULL; m = mt_json_next(m)) {
        const char *key = our_name(mt_json_key(m), extra->arena);
        struct mt_value value = {.type = MT_VALUE_NULL};
        struct mt_value *slot = NULL;
        enum mt_rc rc = MT_OK;

        if (key == NULL)
            return MT_ERR_NOMEM;
        rc = mt_value_from_json(m, extra->arena, &value);
        if (rc != MT_OK)
            return rc;
        slot = mt_fields_slot(extra, key);
        if (slot == NULL)
            return extra->failed;
        *slot = value;
    }
    return MT_OK;
}

enum mt_rc mt_em_extra_body_text(struct mt_fields *extra, const char *text)
{
    struct mt_json *json = NULL;
    enum mt_rc rc = MT_OK;

    if (text == NULL || text[0] == '\0')
        return MT_OK;
    rc = mt_json_parse(text, strlen(text), META_JSON_MAX, &json, NULL);
    if (rc == MT_ERR_NOMEM)
        return rc;
    if (rc != MT_OK) { /* kept as it came */
        mt_fields_str(extra, "meta", text);
        return extra->failed;
    }
    rc = mt_em_extra_body(extra, json);
    mt_json_free(json);
    return rc;
}

/* 0 offline, 1 online, anything else "other" = 2, as the SDK counts; absent says nothing. */
static void add_online(struct mt_fields *extra, const struct mt_json *json)
{
    const struct mt_json *online = mt_json_get(json, "is_online");
    int64_t state = mt_json_i64(online, 2);

    if (online == NULL)
        return;
    if (mt_json_type(online) == MT_JSON_BOOL)
        state = mt_json_bool(online, false) ? 1 : 0;
    mt_fields_int(extra, "online_state", state == 0 || state == 1 ? state : 2);
}

static void add_meta_json(struct mt_fields *extra, const ProtobufCBinaryData *bytes)
{
    struct mt_json *json = NULL;
    const struct mt_json *replaced = NULL;
    struct mt_value value = {.type = MT_VALUE_NULL};

    if (mt_json_parse((const char *)bytes->data, bytes->len, META_JSON_MAX, &json, NULL) != MT_OK)
        return; /* raw has it */
    add_online(extra, json);
    replaced = mt_json_get(json, "callback_replace");
    if (replaced != NULL) {
        enum mt_rc rc = mt_value_from_json(replaced, extra->arena, &value);

        if (rc == MT_OK)
            mt_fields_value(extra, "replaced", value);
        else
            extra->failed = rc;
    }
    mt_json_free(json);
}

static enum mt_rc add_meta_ext(struct mt_fields *extra, const Easemob__Pb__KeyValue *pair)
{
    static const char *const priorities[] = {"high", "normal", "low"};
    struct mt_value value;
    bool present = false;
    enum mt_rc rc = MT_OK;

    if (pair->key == NULL)
        return MT_OK;
    rc = mt_em_ext_value(pair, extra->arena, &value, &present);
    if (rc != MT_OK || !present)
        return rc;
    if (strcmp(pair->key, "chatroom_msg_tag") == 0 && value.type == MT_VALUE_INT && value.i >= 0 &&
        value.i <= 2) {
        mt_fields_str(extra, "priority", priorities[value.i]);
    } else if (strcmp(pair->key, "is_broadcast") == 0) {
        mt_fields_value(extra, "broadcast", value);
    } else if (strcmp(pair->key, "recallMessageExtensionInfo") == 0) {
        mt_fields_value(extra, "recall_info", value);
    } else {
        const char *key = mt_arena_strdup(extra->arena, pair->key);

        if (key == NULL)
            return MT_ERR_NOMEM;
        mt_fields_value(extra, key, value);
    }
    return extra->failed;
}

enum mt_rc mt_em_extra_meta(struct mt_fields *extra, const Easemob__Pb__Meta *meta)
{
    if (meta->has_meta && meta->meta.len > 0)
        add_meta_json(extra, &meta->meta);
    for (size_t i = 0; i < meta->n_ext; i++) {
        enum mt_rc rc = add_meta_ext(extra, meta->ext[i]);

        if (rc != MT_OK)
            return rc;
    }
    return extra->failed;
}
