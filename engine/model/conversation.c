/* Conversation addresses, and a conversation as JSON. */
#include "model/conversation.h"

#include "base/buf.h"
#include "base/str.h"
#include "codec/json.h"
#include "model/message.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [MT_CONVERSATION_SINGLE] = "single", [MT_CONVERSATION_GROUP] = "group",
    [MT_CONVERSATION_ROOM] = "room",     [MT_CONVERSATION_SYSTEM] = "system",
    [MT_CONVERSATION_ULTRA] = "ultra",
};
#define KINDS_N (sizeof kind_names / sizeof kind_names[0])

const char *mt_conversation_kind_name(enum mt_conversation_kind kind)
{
    return (size_t)kind < KINDS_N ? kind_names[kind] : "unknown";
}

static enum mt_rc unknown_kind(const char *text, size_t len, struct mt_fault *fault)
{
    char word[32];
    snprintf(word, sizeof word, "%.*s", (int)(len < sizeof word ? len : sizeof word - 1), text);
    mt_str_fold(word);
    const char *near = mt_str_nearest(word, kind_names, KINDS_N);
    return mt_fault_set(fault, MT_ERR_INVALID, "conversation.kind",
                        "'%.80s' is no conversation: the kinds are single, group, room, system and "
                        "ultra%s%s%s",
                        text, near ? "; did you mean '" : "", near ? near : "", near ? ":'?" : "");
}

static enum mt_rc bad_id(const char *text, const char *why, struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_INVALID, "conversation.id", "'%.80s' is no conversation: %s",
                        text, why);
}

/* Copies an id of len bytes into out; the reason if it cannot be one. */
static const char *take_id(const char *s, size_t len, char *out, size_t size)
{
    if (len == 0) {
        return "the id is empty";
    }
    if (len >= size) {
        return "the id is too long";
    }
    if (!mt_str_utf8_valid(s, len)) {
        return "the id is not UTF-8";
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7F) {
            return "the id has a control character";
        }
    }
    memcpy(out, s, len);
    out[len] = '\0';
    return NULL;
}

enum mt_rc mt_conversation_ref_parse(const char *text, struct mt_conversation_ref *out,
                                     struct mt_fault *fault)
{
    *out = (struct mt_conversation_ref){.kind = MT_CONVERSATION_SINGLE};
    const char *id = text;
    const char *colon = strchr(text, ':');
    if (colon) {
        size_t len = (size_t)(colon - text);
        size_t k = 0;
        while (k < KINDS_N &&
               (strlen(kind_names[k]) != len || memcmp(kind_names[k], text, len) != 0)) {
            k++;
        }
        if (k == KINDS_N) {
            return unknown_kind(text, len, fault);
        }
        out->kind = (enum mt_conversation_kind)k;
        id = colon + 1;
    }
    size_t len = strlen(id);
    const char *why = NULL;
    if (out->kind == MT_CONVERSATION_ULTRA) {
        const char *slash = strchr(id, '/');
        if (!slash) {
            return bad_id(text, "an ultra group is written ultra:ID/CHANNEL", fault);
        }
        len = (size_t)(slash - id);
        why = take_id(slash + 1, strlen(slash + 1), out->channel, sizeof out->channel);
    }
    if (!why) {
        why = take_id(id, len, out->target, sizeof out->target);
    }
    return why ? bad_id(text, why, fault) : MT_OK;
}

void mt_conversation_ref_format(const struct mt_conversation_ref *ref,
                                char out[MT_CONVERSATION_ID_MAX])
{
    snprintf(out, MT_CONVERSATION_ID_MAX, "%s:%s%s%s", mt_conversation_kind_name(ref->kind),
             ref->target, ref->channel[0] ? "/" : "", ref->channel);
}

static const char *const notification_names[MT_NOTIFICATIONS_N] = {
    [MT_NOTIFY_DEFAULT] = "default",           [MT_NOTIFY_ALL] = "all",
    [MT_NOTIFY_MENTIONS] = "mentions",         [MT_NOTIFY_MENTIONS_ME] = "mentions_me",
    [MT_NOTIFY_MENTIONS_ALL] = "mentions_all", [MT_NOTIFY_NONE] = "none",
};

const char *mt_notification_name(enum mt_notification level)
{
    return (size_t)level < MT_NOTIFICATIONS_N ? notification_names[level] : NULL;
}

enum mt_notification mt_notification_find(const char *name)
{
    for (int i = MT_NOTIFY_DEFAULT; i < MT_NOTIFICATIONS_N; i++)
        if (strcmp(notification_names[i], name) == 0)
            return (enum mt_notification)i;
    return MT_NOTIFY_UNKNOWN;
}

static void write_mentions(struct mt_jsonw *w, const struct mt_mentions *mentions)
{
    if (!mentions->known)
        return;
    mt_jsonw_key(w, "mentions");
    mt_jsonw_i64(w, mentions->n);
    mt_jsonw_key(w, "mentions_me");
    mt_jsonw_i64(w, mentions->me);
    if (!mentions->any)
        return;
    mt_jsonw_key(w, "mentioned");
    mt_jsonw_object(w);
    mt_jsonw_key(w, "all");
    mt_jsonw_bool(w, mentions->all);
    mt_jsonw_key(w, "users");
    mt_jsonw_array(w);
    for (size_t i = 0; mentions->users && mentions->users[i]; i++)
        mt_jsonw_str(w, mentions->users[i]);
    mt_jsonw_array_end(w);
    mt_jsonw_object_end(w);
}

/* What not every cloud says. */
static void write_settings(struct mt_jsonw *w, const struct mt_conversation *c)
{
    write_mentions(w, &c->mentions);
    if (mt_notification_name(c->notification)) {
        mt_jsonw_key(w, "notification");
        mt_jsonw_str(w, mt_notification_name(c->notification));
    }
    if (c->last_unread_ms > 0) {
        mt_jsonw_key(w, "last_unread_time");
        mt_jsonw_i64(w, c->last_unread_ms);
    }
    if (c->hidden) {
        mt_jsonw_key(w, "hidden");
        mt_jsonw_bool(w, true);
    }
}

enum mt_rc mt_conversation_write(const struct mt_conversation *c, bool with_raw, struct mt_buf *out)
{
    char id[MT_CONVERSATION_ID_MAX];
    struct mt_jsonw w;
    mt_conversation_ref_format(&c->ref, id);
    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "id");
    mt_jsonw_str(&w, id);
    mt_jsonw_key(&w, "kind");
    mt_jsonw_str(&w, mt_conversation_kind_name(c->ref.kind));
    mt_jsonw_key(&w, "unread");
    if (c->unread >= 0) {
        mt_jsonw_i64(&w, c->unread);
    } else {
        mt_jsonw_null(&w);
    }
    mt_jsonw_key(&w, "pinned");
    mt_jsonw_bool(&w, c->pinned);
    if (c->pinned_ms > 0) {
        mt_jsonw_key(&w, "pinned_time");
        mt_jsonw_i64(&w, c->pinned_ms);
    }
    mt_jsonw_key(&w, "marks");
    mt_jsonw_array(&w);
    for (size_t i = 0; i < c->marks_n; i++) {
        mt_jsonw_i64(&w, c->marks[i]);
    }
    mt_jsonw_array_end(&w);
    mt_jsonw_key(&w, "last");
    if (c->last) {
        mt_jsonw_raw(&w, "", 0); /* the comma's turn; the message writes itself */
        mt_message_write(c->last, with_raw, out);
    } else {
        mt_jsonw_null(&w);
    }
    write_settings(&w, c);
    mt_jsonw_object_end(&w);
    return out->failed;
}
