/* The cloud's JSON into kind, text, body and ext: see content_int.h. Nothing that was said is lost:
 * a member without a place of its own goes into params, or fields for an app's own object. */
#include "provider/rongcloud/content_int.h"

#include "base/arena.h"
#include "codec/json.h"
#include "model/fields.h"

#include <math.h>
#include <string.h>

#define JSON_MAX ((size_t)1024 * 1024)

struct reading {
    const struct mt_rong_object *object; /* NULL: not known */
    struct mt_arena *arena;
    struct mt_message *out;
    struct mt_fields body, rest, quote;
};

static const char *copy_str(struct reading *r, const struct mt_json *node)
{
    const char *copy = mt_arena_strdup(r->arena, mt_json_str(node));

    if (copy == NULL)
        r->body.failed = MT_ERR_NOMEM;
    return copy;
}

/* The value as it is, under a key that lives as long as the arena. */
static void put_any(struct mt_fields *fields, const char *key, const struct mt_json *node)
{
    struct mt_value value;
    struct mt_value *slot = NULL;
    enum mt_rc rc = mt_value_from_json(node, fields->arena, &value);

    if (rc != MT_OK) {
        fields->failed = rc;
        return;
    }
    slot = mt_fields_slot(fields, key);
    if (slot != NULL)
        *slot = value;
}

static void put_rest(struct reading *r, const struct mt_json *node)
{
    const char *key = mt_arena_strdup(r->arena, mt_json_key(node));

    if (key == NULL)
        r->rest.failed = MT_ERR_NOMEM;
    else
        put_any(&r->rest, key, node);
}

/* ---------------------------------------------------------------- members with a place */

static bool is_string(const struct mt_json *node)
{
    return mt_json_type(node) == MT_JSON_STRING;
}

static bool whole(const struct mt_json *node, int64_t *out)
{
    double d = 0;

    if (mt_json_type(node) != MT_JSON_NUMBER && !is_string(node))
        return false;
    *out = mt_json_i64(node, INT64_MIN);
    if (*out != INT64_MIN)
        return true;
    d = round(mt_json_double(node, NAN)); /* 12.3 seconds */
    if (is_string(node) || !(fabs(d) <= 9007199254740992.0))
        return false;
    *out = (int64_t)d;
    return true;
}

static bool put_text(struct reading *r, const struct mt_json *node)
{
    if (!is_string(node))
        return false;
    r->out->text = copy_str(r, node);
    r->out->text_len = r->out->text ? strlen(r->out->text) : 0;
    return true;
}

static bool put_url(struct reading *r, const struct mt_json *node)
{
    const char *copy = NULL;

    if (!is_string(node))
        return false;
    if (*mt_json_str(node) == '\0' || (copy = copy_str(r, node)) == NULL)
        return true;
    mt_fields_value(&r->body, "url", mt_value_of_str(copy));
    mt_fields_value(&r->body, "remote_path", mt_value_of_str(copy));
    return true;
}

static bool put_target(struct reading *r, const struct mt_json *node)
{
    if (!is_string(node) || strlen(mt_json_str(node)) >= MT_ID_MAX)
        return false;
    r->out->target_id = copy_str(r, node);
    return true;
}

/* False when the member is not of the type that the table says. */
static bool put_known(struct reading *r, const struct mt_rong_member *member,
                      const struct mt_json *node)
{
    int64_t i = 0;

    switch (member->how) {
    case MT_RONG_TEXT:
        return put_text(r, node);
    case MT_RONG_URL:
        return put_url(r, node);
    case MT_RONG_TARGET:
        return put_target(r, node);
    case MT_RONG_STR:
    case MT_RONG_REQUIRED:
        if (!is_string(node))
            return false;
        mt_fields_str(&r->body, member->ours, mt_json_str(node));
        return true;
    case MT_RONG_NUMBER:
        if (mt_json_type(node) != MT_JSON_NUMBER)
            return false;
        mt_fields_number(&r->body, member->ours, mt_json_double(node, 0));
        return true;
    case MT_RONG_WHOLE:
        if (!whole(node, &i))
            return false;
        mt_fields_int(&r->body, member->ours, i);
        return true;
    case MT_RONG_ANY:
        if (!is_string(node) || *mt_json_str(node) != '\0')
            put_any(&r->body, member->ours, node);
        return true;
    }
    return false;
}

static bool from_table(struct reading *r, const struct mt_json *node)
{
    const struct mt_rong_member *m = r->object ? r->object->members : NULL;

    for (; m != NULL && m->theirs != NULL; m++)
        if (strcmp(m->theirs, mt_json_key(node)) == 0)
            return put_known(r, m, node);
    return false;
}

/* ---------------------------------------------------------------- members of every object */

/* What the app adds to any message is a string to the cloud. Most apps put JSON into it, so that
 * its members are the app's fields; anything else stands under the cloud's own name for it. A map
 * that would be written as something else again stays text. */
static bool put_extra(struct reading *r, const struct mt_json *node)
{
    struct mt_value value = {.type = MT_VALUE_NULL};
    struct mt_json *json = NULL;
    struct mt_fields fields;

    if (is_string(node)) {
        const char *text = mt_json_str(node);

        if (*text == '\0')
            return true;
        if (*text == '{' && mt_json_parse(text, strlen(text), JSON_MAX, &json, NULL) == MT_OK) {
            enum mt_rc rc = mt_value_from_json(json, r->arena, &value);

            mt_json_free(json);
            if (rc != MT_OK)
                r->body.failed = rc;
        }
    } else if (mt_json_type(node) == MT_JSON_OBJECT) {
        enum mt_rc rc = mt_value_from_json(node, r->arena, &value);

        if (rc != MT_OK)
            r->body.failed = rc;
    }
    if (value.type == MT_VALUE_MAP && value.fields_n > 0 &&
        !(value.fields_n == 1 && strcmp(value.fields[0].key, "extra") == 0)) {
        r->out->ext = value;
        return true;
    }
    mt_fields_init(&fields, r->arena);
    put_any(&fields, "extra", node);
    if (fields.failed != MT_OK)
        r->body.failed = fields.failed;
    r->out->ext = mt_fields_end(&fields);
    return true;
}

static bool put_mentions(struct reading *r, const struct mt_json *node)
{
    const struct mt_json *users = mt_json_get(node, "userIdList");
    const struct mt_json *said = mt_json_get(node, "mentionedContent");
    struct mt_fields fields;
    int64_t type = 0;

    if (mt_json_type(node) != MT_JSON_OBJECT)
        return false;
    mt_fields_init(&fields, r->arena);
    (void)whole(mt_json_get(node, "type"), &type);
    if (type == 1)
        mt_fields_bool(&fields, "all", true);
    if (mt_json_type(users) == MT_JSON_ARRAY && (type != 1 || mt_json_count(users) > 0))
        put_any(&fields, "users", users);
    if (is_string(said))
        mt_fields_str(&fields, "text", mt_json_str(said));
    if (fields.failed != MT_OK)
        r->body.failed = fields.failed;
    mt_fields_value(&r->body, "mentions", mt_fields_end(&fields));
    return true;
}

static bool common(struct reading *r, const struct mt_json *node)
{
    const char *key = mt_json_key(node);

    if (strcmp(key, "extra") == 0)
        return put_extra(r, node);
    if (strcmp(key, "mentionedInfo") == 0)
        return put_mentions(r, node);
    if (strcmp(key, "user") == 0 && mt_json_type(node) == MT_JSON_OBJECT) {
        put_any(&r->body, "user", node);
        return true;
    }
    return false;
}

/* ---------------------------------------------------------------- what answers another message */

static bool put_quote(struct reading *r, const struct mt_json *node)
{
    static const struct {
        const char *theirs, *ours;
    } names[] = {{"referMsgUid", "id"},
                 {"referMsgUserId", "from"},
                 {"objName", "name"},
                 {"referMsg", "content"}};
    const char *key = mt_json_key(node);

    if (r->object == NULL || strcmp(r->object->name, "RC:ReferenceMsg") != 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].theirs, key) != 0)
            continue;
        put_any(&r->quote, names[i].ours, node);
        return true;
    }
    return false;
}

static void end_quote(struct reading *r)
{
    struct mt_value quote;
    const struct mt_value *said = NULL;

    if (r->quote.failed != MT_OK)
        r->body.failed = r->quote.failed;
    if (r->quote.n == 0)
        return;
    quote = mt_fields_end(&r->quote);
    said = mt_value_get(mt_value_get(&quote, "content"), "content");
    if (said != NULL && said->type == MT_VALUE_STR && mt_value_get(&quote, "name") != NULL &&
        mt_value_get(&quote, "name")->type == MT_VALUE_STR &&
        strcmp(mt_value_get(&quote, "name")->s, "RC:TxtMsg") == 0) {
        mt_fields_value(&r->quote, "text", *said);
        quote = mt_fields_end(&r->quote);
    }
    mt_fields_value(&r->body, "quote", quote);
}

/* ---------------------------------------------------------------- the whole */

/* One text of the lines that a combined message shows, as the other cloud has it. */
static void add_summary(struct reading *r)
{
    struct mt_value body = mt_fields_end(&r->body);
    const struct mt_value *lines = mt_value_get(&body, "summaries");
    struct mt_buf text;

    if (lines == NULL || lines->type != MT_VALUE_LIST)
        return;
    mt_buf_init(&text, JSON_MAX);
    for (size_t i = 0; i < lines->items_n; i++) {
        if (lines->items[i].type != MT_VALUE_STR)
            continue;
        if (text.len > 0)
            (void)mt_buf_append_char(&text, '\n');
        (void)mt_buf_append(&text, lines->items[i].s, lines->items[i].len);
    }
    if (text.failed == MT_OK)
        mt_fields_strn(&r->body, "summary", text.data, text.len);
    else
        r->body.failed = text.failed;
    mt_buf_deinit(&text);
}

static void end_kind(struct reading *r, const char *name)
{
    struct mt_message *out = r->out;

    if (r->rest.failed != MT_OK)
        r->body.failed = r->rest.failed;
    if (out->kind == MT_MESSAGE_CUSTOM) {
        mt_fields_str(&r->body, "event", name);
        mt_fields_value(&r->body, "fields", mt_fields_end(&r->rest));
        return;
    }
    if (r->object != NULL && strcmp(r->object->name, "RC:GIFMsg") == 0)
        mt_fields_bool(&r->body, "gif", true);
    if (out->kind == MT_MESSAGE_COMBINE)
        add_summary(r);
    if (out->kind == MT_MESSAGE_TEXT && out->text == NULL) {
        out->text = "";
        out->text_len = 0;
    }
    end_quote(r);
    if (r->rest.n > 0)
        mt_fields_value(&r->body, "params", mt_fields_end(&r->rest));
}

/* No JSON object: the SDK hands out the string itself (rongcloud.md 4.3). */
static enum mt_rc keep_whole(const char *name, const char *content, size_t len,
                             struct mt_arena *arena, struct mt_message *out)
{
    struct mt_fields body;

    mt_fields_init(&body, arena);
    if (out->kind == MT_MESSAGE_CUSTOM) {
        mt_fields_str(&body, "event", name);
        mt_fields_strn(&body, "content", content, len);
    } else {
        out->kind = MT_MESSAGE_OTHER;
        out->kind_name = mt_arena_strdup(arena, name);
        out->text = mt_arena_strndup(arena, content, len);
        out->text_len = len;
        if (out->kind_name == NULL || out->text == NULL)
            return MT_ERR_NOMEM;
    }
    out->body = mt_fields_end(&body);
    return body.failed;
}

enum mt_rc mt_rong_content_read(const char *name, const void *content, size_t len,
                                struct mt_arena *arena, struct mt_message *out)
{
    struct reading r = {.object = mt_rong_object_find(name), .arena = arena, .out = out};
    struct mt_json *json = NULL;
    enum mt_rc rc = mt_json_parse(len > 0 ? content : "", len, JSON_MAX, &json, NULL);

    out->kind = r.object                       ? r.object->kind
                : mt_rong_object_foreign(name) ? MT_MESSAGE_CUSTOM
                                               : MT_MESSAGE_OTHER;
    out->kind_name = out->kind == MT_MESSAGE_OTHER
                         ? mt_arena_strdup(arena, name[0] ? name : "empty")
                         : mt_message_kind_name(out->kind);
    if (rc == MT_ERR_NOMEM || out->kind_name == NULL) {
        mt_json_free(json);
        return MT_ERR_NOMEM;
    }
    if (rc != MT_OK || mt_json_type(json) != MT_JSON_OBJECT) {
        mt_json_free(json);
        return keep_whole(name[0] ? name : "empty", len > 0 ? content : "", len, arena, out);
    }
    mt_fields_init(&r.body, arena);
    mt_fields_init(&r.rest, arena);
    mt_fields_init(&r.quote, arena);
    for (const struct mt_json *m = mt_json_child(json); m != NULL; m = mt_json_next(m))
        if (!from_table(&r, m) && !put_quote(&r, m) && !common(&r, m))
            put_rest(&r, m);
    mt_json_free(json);
    end_kind(&r, name);
    out->body = mt_fields_end(&r.body);
    return r.body.failed;
}
