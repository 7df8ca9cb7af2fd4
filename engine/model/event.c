/* Names of events. */
#include "model/event.h"

#include <string.h>

static const char *const names[MT_EVENT_TYPES_N] = {
    [MT_EVENT_MESSAGE] = "message",
    [MT_EVENT_EDITED] = "edited",
    [MT_EVENT_RECALLED] = "recalled",
    [MT_EVENT_READ] = "read",
    [MT_EVENT_DELIVERED] = "delivered",
    [MT_EVENT_CONVERSATION_READ] = "unread",
    [MT_EVENT_MESSAGES_DELETED] = "messages_deleted",
    [MT_EVENT_CONVERSATION_DELETED] = "conversation_deleted",
    [MT_EVENT_CONVERSATION] = "conversation",
    [MT_EVENT_MESSAGE_PINNED] = "message_pinned",
    [MT_EVENT_STATISTIC] = "statistic",
    [MT_EVENT_NOTICE] = "notice",
    [MT_EVENT_GAP] = "gap",
    [MT_EVENT_CONNECTED] = "connected",
    [MT_EVENT_DISCONNECTED] = "disconnected",
    [MT_EVENT_KICKED] = "kicked",
    [MT_EVENT_TOKEN_EXPIRING] = "token_expiring",
    [MT_EVENT_ERROR] = "error",
};

const char *mt_event_name(enum mt_event_type type)
{
    return type >= 0 && type < MT_EVENT_TYPES_N ? names[type] : "?";
}

enum mt_event_type mt_event_find(const char *name)
{
    for (int i = 0; i < MT_EVENT_TYPES_N; i++) {
        if (!strcmp(names[i], name))
            return (enum mt_event_type)i;
    }
    return MT_EVENT_TYPES_N;
}
