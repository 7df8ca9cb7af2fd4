/* Conversations by the wire's words: ChannelType, target and channel (rongcloud.md 3, 4.3). */
#include "provider/rongcloud/map_int.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* Kinds of conversation that the model has no word for. */
static const struct {
    int type;
    const char *prefix;
} services[] = {{RONGCLOUD__CHANNEL_TYPE__CT_CUSTOMERSERVICE, "customer/"},
                {RONGCLOUD__CHANNEL_TYPE__CT_MC, "app/"},
                {RONGCLOUD__CHANNEL_TYPE__CT_MP, "public/"}};

static const char *prefix_of(int type)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (services[i].type == type)
            return services[i].prefix;
    return "";
}

static enum mt_conversation_kind kind_of(int type)
{
    switch (type) {
    case RONGCLOUD__CHANNEL_TYPE__CT_PERSON:
    case RONGCLOUD__CHANNEL_TYPE__CT_PERSONS:
        return MT_CONVERSATION_SINGLE;
    case RONGCLOUD__CHANNEL_TYPE__CT_GROUP:
        return MT_CONVERSATION_GROUP;
    case RONGCLOUD__CHANNEL_TYPE__CT_TEMPGROUP:
        return MT_CONVERSATION_ROOM;
    case RONGCLOUD__CHANNEL_TYPE__CT_ULTRAGROUP:
        return MT_CONVERSATION_ULTRA;
    default:
        return MT_CONVERSATION_SYSTEM;
    }
}

bool mt_rong_type_is_group(int type)
{
    return type == RONGCLOUD__CHANNEL_TYPE__CT_GROUP ||
           type == RONGCLOUD__CHANNEL_TYPE__CT_TEMPGROUP ||
           type == RONGCLOUD__CHANNEL_TYPE__CT_ULTRAGROUP;
}

bool mt_rong_ref_set(struct mt_conversation_ref *ref, int type, const char *target,
                     const char *channel)
{
    const char *prefix = prefix_of(type);
    const char *id = target ? target : "";

    memset(ref, 0, sizeof *ref);
    ref->kind = kind_of(type);
    if (*id == '\0' || strlen(prefix) + strlen(id) >= sizeof ref->target)
        return false;
    snprintf(ref->target, sizeof ref->target, "%s%s", prefix, id);
    if (ref->kind != MT_CONVERSATION_ULTRA)
        return true;
    if (channel == NULL || *channel == '\0')
        channel = MT_RONG_DEFAULT_CHANNEL;
    if (strlen(channel) >= sizeof ref->channel) {
        ref->target[0] = '\0';
        return false;
    }
    snprintf(ref->channel, sizeof ref->channel, "%s", channel);
    return true;
}

int mt_rong_ref_type(const struct mt_conversation_ref *ref, const char **target)
{
    *target = ref->target;
    switch (ref->kind) {
    case MT_CONVERSATION_SINGLE:
        return RONGCLOUD__CHANNEL_TYPE__CT_PERSON;
    case MT_CONVERSATION_GROUP:
        return RONGCLOUD__CHANNEL_TYPE__CT_GROUP;
    case MT_CONVERSATION_ROOM:
        return RONGCLOUD__CHANNEL_TYPE__CT_TEMPGROUP;
    case MT_CONVERSATION_ULTRA:
        return RONGCLOUD__CHANNEL_TYPE__CT_ULTRAGROUP;
    case MT_CONVERSATION_SYSTEM:
        break;
    }
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        if (mt_str_starts(ref->target, services[i].prefix)) {
            *target = ref->target + strlen(services[i].prefix);
            return services[i].type;
        }
    }
    return RONGCLOUD__CHANNEL_TYPE__CT_NOTIFY;
}
