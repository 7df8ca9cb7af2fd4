/* What the cloud's refusals of a message mean (easemob.md §3.5). */
#include "provider/easemob/outgoing_int.h"

#include "base/secret.h"

#include <string.h>

struct refusal {
    int code;
    const char *reason; /* part of the cloud's text; "": any */
    int provider_code;
    enum mt_rc kind;
    const char *name, *text;
};

/* The first that fits counts. */
static const struct refusal refusals[] = {
    {15, "", 507, MT_ERR_DENIED, "send.muted", "the sender is muted by the app"},
    {1, "not in group or chatroom white list", 506, MT_ERR_DENIED, "send.not_allowed",
     "only members on its allow list may write to this group"},
    {1, "not in group or chatroom", 602, MT_ERR_DENIED, "send.not_member",
     "the sender is not a member of this group or room: join it first"},
    {1, "blocked", 603, MT_ERR_DENIED, "send.blocked", "the receiver has blocked the sender"},
    {1, "group not found", 605, MT_ERR_NOT_FOUND, "send.group_not_found",
     "there is no such group: check the id"},
    {1, "exceed recall time limit", 504, MT_ERR_DENIED, "recall.too_late",
     "the time in which a message can be recalled is over (two minutes, unless the app has "
     "another)"},
    {1, "message recall disabled", 505, MT_ERR_UNSUPPORTED, "recall.disabled",
     "recalling is not opened for this app: open it in the console"},
    {1, "nonroster", 221, MT_ERR_DENIED, "send.not_contact",
     "the app lets only contacts write to each other"},
    {1, "group is disabled", 608, MT_ERR_DENIED, "send.group_disabled", "the group is disabled"},
    {1, "limit directed users", 50, MT_ERR_LIMIT, "send.too_many_receivers",
     "too many receivers for one directed message"},
    {1, "edit limit reached", 50, MT_ERR_LIMIT, "edit.limit",
     "the message has been edited as often as the cloud allows"},
    {1, "message does not exist", 1302, MT_ERR_NOT_FOUND, "send.no_message",
     "the cloud has no such message (any more)"},
    {1, "format is incorrect", 1303, MT_ERR_INVALID, "edit.format",
     "the new content does not fit the message"},
    {1, "edit fail", 1304, MT_ERR_REMOTE, "edit.failed", "the cloud could not edit the message"},
    {1, "do not have permission", 603, MT_ERR_DENIED, "send.denied",
     "the sender has no permission for this"},
    {1, "edit is not available", 505, MT_ERR_UNSUPPORTED, "edit.disabled",
     "editing is not opened for this app: open it in the console"},
    {1, "moderation", 508, MT_ERR_DENIED, "send.moderated", "the app's moderation refused it"},
    {1, "does not exist!", 705, MT_ERR_NOT_FOUND, "send.room_not_found",
     "there is no such chat room: check the id"},
    {1, "member list is full", 704, MT_ERR_LIMIT, "room.full", "the chat room is full"},
    {1, "doesn't exist", 204, MT_ERR_NOT_FOUND, "user.unknown",
     "the cloud does not know this user"},
    {1, "", 503, MT_ERR_REMOTE, "send.failed", "the cloud could not send it"},
    {7, "sensitive words", 501, MT_ERR_DENIED, "send.sensitive",
     "it holds words that the app's filter refuses"},
    {7, "mod_antispam", 501, MT_ERR_DENIED, "send.sensitive", "the app's filter takes it for spam"},
    {7, "user is mute", 219, MT_ERR_DENIED, "send.muted_here",
     "the sender is muted in this group or room"},
    {7, "traffic limit", 509, MT_ERR_RATE, "send.rate", "too many messages: send slower"},
    {7, "data is too large", 511, MT_ERR_LIMIT, "send.too_large",
     "the message is larger than the cloud takes"},
    {7, "", 603, MT_ERR_DENIED, "send.denied", "the cloud does not permit it"},
    {19, "", 502, MT_ERR_DENIED, "send.hook", "the app's own server refused it"},
};

enum mt_rc mt_em_answer_fault(int error_code, const char *reason, struct mt_fault *fault)
{
    const char *said = reason ? reason : "";
    char shown[101];

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        if (r->code != error_code || !strstr(said, r->reason))
            continue;
        (void)mt_fault_set(fault, r->kind, r->name, "%s%s%s%s", r->text, *said ? " (" : "",
                           mt_secret_shown(said, shown, 81), *said ? ")" : "");
        fault->provider_code = r->provider_code;
        return r->kind;
    }
    (void)mt_fault_set(fault, MT_ERR_REMOTE, "send.refused",
                       "the cloud refused it with status %d: %s", error_code,
                       mt_secret_shown(said, shown, sizeof shown));
    fault->provider_code = 604;
    return MT_ERR_REMOTE;
}
