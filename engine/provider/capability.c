#include "provider/capability.h"

#include "base/str.h"

#include <string.h>

static const struct {
    const char *name, *meaning;
} capabilities[MT_CAPABILITIES_N] = {
    [MT_CAPABILITY_HISTORY] = {"history", "messages are read from the cloud"},
    [MT_CAPABILITY_HISTORY_SINCE] = {"history.since", "the cloud itself stops at the time since"},
    [MT_CAPABILITY_HISTORY_UNTIL] = {"history.until", "the cloud itself begins at the time until"},
    [MT_CAPABILITY_HISTORY_SENDER] = {"history.sender", "the cloud itself picks one sender"},
    [MT_CAPABILITY_HISTORY_KINDS] = {"history.kinds", "the cloud itself picks kinds of messages"},
    [MT_CAPABILITY_CONVERSATIONS] = {"conversations", "the list of conversations"},
    [MT_CAPABILITY_CONVERSATIONS_PINNED] = {"conversations.pinned", "the list of pinned ones"},
    [MT_CAPABILITY_CONVERSATIONS_MARKS] = {"conversations.marks", "the list of those with a mark"},
    [MT_CAPABILITY_CONVERSATIONS_LAST] = {"conversations.last",
                                          "the list holds the latest message of each"},
    [MT_CAPABILITY_CONVERSATIONS_ORDER] = {"conversations.order",
                                           "the list from its oldest end, or from a time on"},
    [MT_CAPABILITY_SYSTEM] = {"system", "conversations with the system (system:ID)"},
    [MT_CAPABILITY_ROOMS] = {"rooms", "chat rooms are entered and left (room:ID)"},
    [MT_CAPABILITY_ULTRA] = {"ultra", "ultra groups and their channels (ultra:ID/CHANNEL)"},
    [MT_CAPABILITY_LIVE] = {"live", "events as they happen"},
    [MT_CAPABILITY_SEND] = {"send", "messages are sent"},
    [MT_CAPABILITY_SEND_DIRECTED] = {"send.directed", "to some members of a group only"},
    [MT_CAPABILITY_SEND_ONLINE_ONLY] = {"send.online_only", "not kept for who is offline"},
    [MT_CAPABILITY_RECEIPTS] = {"receipts", "that a message was read is told and heard"},
    [MT_CAPABILITY_RECEIPTS_DELIVERED] = {"receipts.delivered",
                                          "that a message reached a device is told and heard"},
    [MT_CAPABILITY_READERS] = {"readers", "who has read a message of a group"},
    [MT_CAPABILITY_RECALL] = {"recall", "a message that was sent is taken back"},
    [MT_CAPABILITY_EDIT] = {"edit", "a message that was sent gets new content"},
    [MT_CAPABILITY_ATTACHMENTS] = {"attachments", "files are uploaded and downloaded"},
    [MT_CAPABILITY_COMBINE] = {"combine", "several messages are sent as one"},
    [MT_CAPABILITY_DELETE_IDS] = {"delete.ids", "named messages, for oneself"},
    [MT_CAPABILITY_DELETE_BEFORE] = {"delete.before",
                                     "all messages of a conversation before a time, for oneself"},
    [MT_CAPABILITY_DELETE_CONVERSATION] = {"delete.conversation",
                                           "a conversation, with or without its messages"},
    [MT_CAPABILITY_DELETE_ALL] = {"delete.all", "everything of the account at once"},
    [MT_CAPABILITY_DELETE_TOLD] = {"delete.told",
                                   "the user's other devices hear of what was deleted"},
    [MT_CAPABILITY_PIN] = {"pin", "conversations are pinned to the top"},
    [MT_CAPABILITY_MARK] = {"mark", "conversations get the app's marks 0 to 19"},
    [MT_CAPABILITY_NOTIFICATION] = {"notification",
                                    "of which messages of a conversation the user is told"},
};

const char *mt_capability_name(enum mt_capability capability)
{
    return (unsigned)capability < MT_CAPABILITIES_N ? capabilities[capability].name : NULL;
}

const char *mt_capability_meaning(enum mt_capability capability)
{
    return (unsigned)capability < MT_CAPABILITIES_N ? capabilities[capability].meaning : NULL;
}

enum mt_rc mt_capability_find(const char *name, enum mt_capability *out, struct mt_fault *fault)
{
    const char *names[MT_CAPABILITIES_N];
    const char *near = NULL;

    for (size_t i = 0; i < MT_CAPABILITIES_N; i++) {
        names[i] = capabilities[i].name;
        if (strcmp(names[i], name) != 0)
            continue;
        *out = (enum mt_capability)i;
        return MT_OK;
    }
    near = mt_str_nearest(name, names, MT_CAPABILITIES_N);
    if (near != NULL)
        return mt_fault_set(fault, MT_ERR_INVALID, "capability.unknown",
                            "there is no capability '%.60s': did you mean '%s'?", name, near);
    return mt_fault_set(fault, MT_ERR_INVALID, "capability.unknown",
                        "there is no capability '%.60s': moontide doctor lists them", name);
}

const char *mt_can_name(enum mt_can can)
{
    static const char *const names[] = {"no", "yes", "depends"};
    return names[can];
}
