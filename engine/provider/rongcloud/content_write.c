/* What goes out as the cloud's object name and JSON: see content_int.h. */
#include "provider/rongcloud/content_int.h"

#include "base/buf.h"
#include "codec/json.h"

#include <math.h>
#include <string.h>

struct writing {
    const struct mt_outgoing *message;
    const struct mt_rong_object *object; /* NULL: an app's own */
    struct mt_jsonw w;
};

static const struct mt_value *field(const struct mt_outgoing *m, const char *key)
{
    return m->body.type == MT_VALUE_MAP ? mt_value_get(&m->body, key) : NULL;
}

static const struct mt_value *str(const struct mt_outgoing *m, const char *key)
{
    const struct mt_value *v = field(m, key);

    return v != NULL && v->type == MT_VALUE_STR ? v : NULL;
}

static const struct mt_value *map(const struct mt_outgoing *m, const char *key)
{
    const struct mt_value *v = field(m, key);

    return v != NULL && v->type == MT_VALUE_MAP ? v : NULL;
}

static bool yes(const struct mt_value *of, const char *key)
{
    const struct mt_value *v = mt_value_get(of, key);

    return v != NULL && v->type == MT_VALUE_BOOL && v->b;
}

static enum mt_rc missing(const struct mt_outgoing *m, const char *key, struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_INVALID, "send.field", "a %s message needs %s",
                        mt_message_kind_name(m->kind), key);
}

/* As mt_value_write, but an integer stays a number: the cloud's clients count on it. */
static void put_value(struct mt_jsonw *w, const struct mt_value *v)
{
    switch (v->type) {
    case MT_VALUE_NULL:
        mt_jsonw_null(w);
        break;
    case MT_VALUE_BOOL:
        mt_jsonw_bool(w, v->b);
        break;
    case MT_VALUE_INT:
        mt_jsonw_i64(w, v->i);
        break;
    case MT_VALUE_UINT:
        mt_jsonw_u64(w, v->u);
        break;
    case MT_VALUE_DOUBLE:
        mt_jsonw_double(w, v->d);
        break;
    case MT_VALUE_STR:
        mt_jsonw_strn(w, v->s, v->len);
        break;
    case MT_VALUE_LIST:
        mt_jsonw_array(w);
        for (size_t i = 0; i < v->items_n && w->out->failed == MT_OK; i++)
            put_value(w, &v->items[i]);
        mt_jsonw_array_end(w);
        break;
    case MT_VALUE_MAP:
        mt_jsonw_object(w);
        for (size_t i = 0; i < v->fields_n && w->out->failed == MT_OK; i++) {
            mt_jsonw_key(w, v->fields[i].key);
            put_value(w, &v->fields[i].value);
        }
        mt_jsonw_object_end(w);
        break;
    }
}

static void put_field(struct mt_jsonw *w, const char *key, const struct mt_value *v)
{
    if (v != NULL) {
        mt_jsonw_key(w, key);
        put_value(w, v);
    }
}

/* ---------------------------------------------------------------- which object */

static const char *quote_name(const struct mt_outgoing *m)
{
    return map(m, "quote") != NULL ? "RC:ReferenceMsg" : "RC:TxtMsg";
}

/* NULL: no object of this cloud. */
static const char *name_of(const struct mt_outgoing *m)
{
    const struct mt_value *event = str(m, "event");

    switch (m->kind) {
    case MT_MESSAGE_TEXT:
        return quote_name(m);
    case MT_MESSAGE_IMAGE:
        return yes(&m->body, "gif") ? "RC:GIFMsg" : "RC:ImgMsg";
    case MT_MESSAGE_VOICE: /* the sound itself, or where it is */
        return str(m, "data_base64") != NULL ? "RC:VcMsg" : "RC:HQVCMsg";
    case MT_MESSAGE_VIDEO:
        return "RC:SightMsg";
    case MT_MESSAGE_FILE:
        return "RC:FileMsg";
    case MT_MESSAGE_LOCATION:
        return "RC:LBSMsg";
    case MT_MESSAGE_COMMAND:
        return "RC:CmdMsg";
    case MT_MESSAGE_COMBINE:
        return "RC:CombineMsg";
    case MT_MESSAGE_CUSTOM:
        return event != NULL && event->len > 0 ? event->s : NULL;
    default:
        return NULL;
    }
}

/* ---------------------------------------------------------------- members */

static const struct mt_value *address(const struct mt_outgoing *m)
{
    const struct mt_value *v = str(m, "remote_path");

    return v != NULL ? v : str(m, "url");
}

/* A whole number from an integer or a number that a script computed. */
static bool whole(const struct mt_value *v, int64_t *out)
{
    if (v != NULL && v->type == MT_VALUE_INT)
        *out = v->i;
    else if (v != NULL && v->type == MT_VALUE_DOUBLE && fabs(v->d) <= 9007199254740992.0)
        *out = (int64_t)round(v->d);
    else
        return false;
    return true;
}

static bool is_number(const struct mt_value *v)
{
    return v != NULL && (v->type == MT_VALUE_INT || v->type == MT_VALUE_DOUBLE);
}

static void put_member(struct writing *at, const struct mt_rong_member *member)
{
    const struct mt_outgoing *m = at->message;
    const struct mt_value *v = member->ours ? field(m, member->ours) : NULL;
    struct mt_jsonw *w = &at->w;
    int64_t i = 0;

    switch (member->how) {
    case MT_RONG_TEXT:
        mt_jsonw_key(w, member->theirs);
        mt_jsonw_strn(w, m->text ? m->text : "", m->text ? m->text_len : 0);
        break;
    case MT_RONG_URL:
        put_field(w, member->theirs, address(m));
        break;
    case MT_RONG_STR:
        put_field(w, member->theirs, v != NULL && v->type == MT_VALUE_STR ? v : NULL);
        break;
    case MT_RONG_REQUIRED:
        mt_jsonw_key(w, member->theirs);
        mt_jsonw_strn(w, v != NULL && v->type == MT_VALUE_STR ? v->s : "",
                      v != NULL && v->type == MT_VALUE_STR ? v->len : 0);
        break;
    case MT_RONG_NUMBER:
        put_field(w, member->theirs, is_number(v) ? v : NULL);
        break;
    case MT_RONG_WHOLE:
        if (whole(v, &i)) {
            mt_jsonw_key(w, member->theirs);
            mt_jsonw_i64(w, i);
        }
        break;
    case MT_RONG_ANY:
        put_field(w, member->theirs, v);
        break;
    case MT_RONG_TARGET: /* of instructions, which are written by hand (outgoing.c) */
        break;
    }
}

static bool is_member(const struct mt_rong_object *object, const char *key)
{
    const struct mt_rong_member *m = object ? object->members : NULL;

    for (; m != NULL && m->theirs != NULL; m++)
        if (strcmp(m->theirs, key) == 0)
            return true;
    return strcmp(key, "extra") == 0 || strcmp(key, "user") == 0 ||
           strcmp(key, "mentionedInfo") == 0;
}

static void put_others(struct writing *at, const struct mt_value *others)
{
    for (size_t i = 0; others != NULL && i < others->fields_n; i++)
        if (at->message->kind == MT_MESSAGE_CUSTOM || !is_member(at->object, others->fields[i].key))
            put_field(&at->w, others->fields[i].key, &others->fields[i].value);
}

/* What was quoted: its JSON as it came, or a text. */
static void put_quote(struct writing *at)
{
    const struct mt_value *quote = map(at->message, "quote");
    const struct mt_value *content = mt_value_get(quote, "content");
    const struct mt_value *name = mt_value_get(quote, "name");
    struct mt_jsonw *w = &at->w;

    if (quote == NULL || at->message->kind != MT_MESSAGE_TEXT)
        return;
    put_field(w, "referMsgUserId", mt_value_get(quote, "from"));
    mt_jsonw_key(w, "referMsg");
    if (content != NULL) {
        put_value(w, content);
    } else {
        mt_jsonw_object(w);
        put_field(w, "content", mt_value_get(quote, "text"));
        mt_jsonw_object_end(w);
    }
    put_field(w, "referMsgUid", mt_value_get(quote, "id"));
    mt_jsonw_key(w, "objName");
    if (name != NULL)
        put_value(w, name);
    else
        mt_jsonw_str(w, "RC:TxtMsg");
}

/* The app's own fields are one string to this cloud: JSON, or what stands under "extra". */
static void put_extra(struct writing *at)
{
    const struct mt_value *ext = &at->message->ext;
    struct mt_buf text;
    struct mt_jsonw inner;

    if (ext->type != MT_VALUE_MAP || ext->fields_n == 0)
        return;
    if (ext->fields_n == 1 && strcmp(ext->fields[0].key, "extra") == 0) {
        put_field(&at->w, "extra", &ext->fields[0].value);
        return;
    }
    mt_buf_init(&text, MT_RONG_CONTENT_MAX);
    mt_jsonw_init(&inner, &text);
    put_value(&inner, ext);
    mt_jsonw_key(&at->w, "extra");
    if (text.failed == MT_OK)
        mt_jsonw_strn(&at->w, text.data, text.len);
    else
        at->w.out->failed = text.failed;
    mt_buf_deinit(&text);
}

static void put_mentions(struct writing *at)
{
    const struct mt_value *mentions = map(at->message, "mentions");
    const struct mt_value *users = mt_value_get(mentions, "users");
    const struct mt_value *said = mt_value_get(mentions, "text");
    struct mt_jsonw *w = &at->w;

    if (mentions == NULL)
        return;
    mt_jsonw_key(w, "mentionedInfo");
    mt_jsonw_object(w);
    mt_jsonw_key(w, "type");
    mt_jsonw_i64(w, yes(mentions, "all") ? 1 : 2);
    mt_jsonw_key(w, "userIdList");
    if (users != NULL && users->type == MT_VALUE_LIST) {
        put_value(w, users);
    } else {
        mt_jsonw_array(w);
        mt_jsonw_array_end(w);
    }
    mt_jsonw_key(w, "mentionedContent");
    mt_jsonw_strn(w, said != NULL && said->type == MT_VALUE_STR ? said->s : "",
                  said != NULL && said->type == MT_VALUE_STR ? said->len : 0);
    mt_jsonw_object_end(w);
}

/* Lines that a combined message shows where the script gave one text, as for the other cloud. */
static void put_summaries(struct writing *at)
{
    const struct mt_value *one = str(at->message, "summary");
    const char *s = one != NULL ? one->s : NULL;

    if (at->message->kind != MT_MESSAGE_COMBINE || s == NULL ||
        field(at->message, "summaries") != NULL)
        return;
    mt_jsonw_key(&at->w, "summaryList");
    mt_jsonw_array(&at->w);
    while (*s != '\0') {
        size_t n = strcspn(s, "\n");

        mt_jsonw_strn(&at->w, s, n);
        s += n + (s[n] == '\n');
    }
    mt_jsonw_array_end(&at->w);
}

/* ---------------------------------------------------------------- the whole */

static enum mt_rc check(const struct mt_outgoing *m, struct mt_fault *fault)
{
    switch (m->kind) {
    case MT_MESSAGE_VOICE:
        if (str(m, "data_base64") != NULL)
            return MT_OK;
        break;
    case MT_MESSAGE_IMAGE:
    case MT_MESSAGE_VIDEO:
    case MT_MESSAGE_FILE:
    case MT_MESSAGE_COMBINE:
        break;
    case MT_MESSAGE_LOCATION:
        if (!is_number(field(m, "latitude")) || !is_number(field(m, "longitude")))
            return missing(m, "latitude and longitude", fault);
        return MT_OK;
    case MT_MESSAGE_COMMAND:
        return str(m, "action") ? MT_OK : missing(m, "action, a word of your choice", fault);
    case MT_MESSAGE_CUSTOM:
        return name_of(m) ? MT_OK : missing(m, "event, the name of your object", fault);
    case MT_MESSAGE_TEXT:
        return MT_OK;
    default:
        return mt_fault_set(fault, MT_ERR_INVALID, "send.kind",
                            "messages of this kind cannot be sent");
    }
    return address(m) ? MT_OK : missing(m, "remote_path, the address of the file", fault);
}

enum mt_rc mt_rong_content_write(const struct mt_outgoing *message, struct mt_buf *out,
                                 const char **name, struct mt_fault *fault)
{
    struct writing at = {.message = message};
    size_t before = out->len;
    enum mt_rc rc = check(message, fault);

    if (rc != MT_OK)
        return rc;
    *name = name_of(message);
    at.object = mt_rong_object_find(*name);
    mt_jsonw_init(&at.w, out);
    mt_jsonw_object(&at.w);
    if (message->kind != MT_MESSAGE_CUSTOM) {
        const struct mt_rong_member *m = at.object ? at.object->members : NULL;

        for (; m != NULL && m->theirs != NULL; m++)
            put_member(&at, m);
        put_summaries(&at);
        put_quote(&at);
    }
    put_others(&at, map(message, message->kind == MT_MESSAGE_CUSTOM ? "fields" : "params"));
    put_extra(&at);
    put_field(&at.w, "user", map(message, "user"));
    put_mentions(&at);
    mt_jsonw_object_end(&at.w);
    if (out->failed == MT_ERR_NOMEM)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (out->failed != MT_OK || out->len - before > MT_RONG_CONTENT_MAX) {
        rc = mt_fault_set(fault, MT_ERR_LIMIT, "send.too_large",
                          "the message is larger than the %zu bytes that the cloud takes: send a "
                          "file instead",
                          MT_RONG_CONTENT_MAX);
        if (fault != NULL)
            fault->provider_code = 30016;
        return rc;
    }
    return MT_OK;
}
