/* The cloud's numbers as faults (rongcloud.md 2.4, 2.5, 6). The codes are those that the same
 * refusals have on other clouds, so that a script need not know which cloud refused it. */
#include "provider/rongcloud/faults_int.h"

#include <stdio.h>
#include <string.h>

#define OPEN_FEATURE                                                                               \
    "it is not opened for this app: open it in the RongCloud console (paid plans only)"
#define NEW_TOKEN "get a new one from your app server and set it as token"

/* code: with a leading '.', the verb stands in front of it. */
struct rule {
    int number;
    enum mt_rc kind;
    const char *code, *text;
};

static const struct rule rules[] = {
    {-1, MT_ERR_TIMEOUT, ".timeout", "the cloud did not answer in time"},
    /* sending, and what is sent of */
    {405, MT_ERR_DENIED, "send.blocked", "the receiver has blocked the sender"},
    {407, MT_ERR_DENIED, "send.not_contact", "the sender is not on the receiver's white list"},
    {20106, MT_ERR_DENIED, "send.muted_here", "the sender is muted in private chats"},
    {20109, MT_ERR_UNSUPPORTED, "send.kind", "system conversations take no such message"},
    {20112, MT_ERR_DENIED, "send.moderated", "the app's moderation refused it as dangerous"},
    {20113, MT_ERR_DENIED, "send.moderated", "the app's moderation refused it"},
    {20114, MT_ERR_DENIED, "edit.too_late", "the time in which a message can be edited is over"},
    {20115, MT_ERR_LIMIT, "send.too_large", "the message is larger than the cloud takes"},
    {20116, MT_ERR_UNSUPPORTED, "edit.kind", "a message of this kind cannot be edited"},
    {20604, MT_ERR_RATE, ".rate", "too often: slower"},
    {20605, MT_ERR_DENIED, ".blocked", "the cloud has blocked this operation"},
    {20606, MT_ERR_UNSUPPORTED, "unsupported", "the cloud does not support this for the app"},
    {20607, MT_ERR_RATE, "rate.limited", "the app's request limit is reached: run later"},
    {21406, MT_ERR_DENIED, "send.not_member", "the sender is not a member of the discussion"},
    {21501, MT_ERR_DENIED, "send.sensitive", "it holds words that the app's filter refuses"},
    {21502, MT_ERR_DENIED, "send.sensitive",
     "it held words that the app's filter has replaced by others"},
    {22201, MT_ERR_NOT_FOUND, "send.no_message", "the cloud has no such message (any more)"},
    {22202, MT_ERR_UNSUPPORTED, "expansion.off", "the message was not sent as one to be expanded"},
    {22203, MT_ERR_INVALID, "expansion.format", "the expansion is not written as the cloud wants"},
    {22204, MT_ERR_DENIED, "expansion.denied", "who may not change the expansion tried to"},
    {22406, MT_ERR_DENIED, "send.not_member",
     "the user is not a member of this group: join it first"},
    {22408, MT_ERR_DENIED, "send.muted_here", "the sender is muted in this group"},
    {23406, MT_ERR_DENIED, "send.not_member", "the user is not in this chat room: join it first"},
    {23408, MT_ERR_DENIED, "send.muted_here", "the sender is muted in this chat room"},
    {23409, MT_ERR_DENIED, "room.kicked", "the user was thrown out of the chat room"},
    {23410, MT_ERR_NOT_FOUND, "send.room_not_found", "there is no such chat room: check the id"},
    {23411, MT_ERR_LIMIT, "room.full", "the chat room is full"},
    {23412, MT_ERR_INVALID, "request.malformed", "the cloud could not read the request"},
    {23413, MT_ERR_REMOTE, "history.failed", "the chat room's history could not be read"},
    {23414, MT_ERR_UNSUPPORTED, "history.not_opened", "history of chat rooms: " OPEN_FEATURE},
    {24401, MT_ERR_UNSUPPORTED, "service.not_opened", "ultra groups: " OPEN_FEATURE},
    {24402, MT_ERR_REMOTE, "server.failed", "the cloud's ultra groups failed: run again later"},
    {24403, MT_ERR_INVALID, "request.malformed", "the cloud could not read the request"},
    {24406, MT_ERR_DENIED, "send.not_member",
     "the user is not a member of this ultra group: join it first"},
    {24408, MT_ERR_DENIED, "send.muted_here", "the sender is muted in this ultra group"},
    {24410, MT_ERR_NOT_FOUND, "send.group_not_found", "there is no such ultra group: check the id"},
    {24414, MT_ERR_NOT_FOUND, "conversation.channel",
     "the ultra group has no such channel: check the name behind '/'"},
    {24415, MT_ERR_RATE, "send.rate", "too many messages to this ultra group: send slower"},
    {24416, MT_ERR_DENIED, "send.not_allowed",
     "only those on its list may write to this private channel"},
    /* recalls, receipts, storage */
    {25101, MT_ERR_DENIED, "recall.too_late",
     "the message cannot be recalled: the time for it is over, or it was recalled already"},
    {25102, MT_ERR_UNSUPPORTED, "history.not_opened", "the cloud's message storage: " OPEN_FEATURE},
    {25107, MT_ERR_DENIED, "recall.denied", "only its sender may recall a message"},
    {25410, MT_ERR_NOT_FOUND, "send.group_not_found", "there is no such group: check the id"},
    {25418, MT_ERR_DENIED, "send.not_member", "the user is not a member of this group"},
    {26002, MT_ERR_REMOTE, "settings.failed", "the settings could not be stored: run again later"},
    {26005, MT_ERR_UNSUPPORTED, "receipts.not_opened", "read receipts: " OPEN_FEATURE},
    {26006, MT_ERR_UNSUPPORTED, "unread.not_opened",
     "the cloud does not count unread messages for this app"},
    {26009, MT_ERR_INVALID, "message.id", "the message id is none of this cloud's"},
    {26010, MT_ERR_INVALID, "request.malformed", "the cloud could not read the request"},
    {26314, MT_ERR_UNSUPPORTED, "receipts.not_opened", "read receipts: " OPEN_FEATURE},
    {26315, MT_ERR_UNSUPPORTED, "receipts.not_opened", "read receipts: " OPEN_FEATURE},
    {26317, MT_ERR_UNSUPPORTED, "receipts.kind", "this kind of conversation has no read receipts"},
    {26320, MT_ERR_DENIED, "receipts.denied", "only who sent the message may see who has read it"},
    {26321, MT_ERR_NOT_FOUND, "receipts.unknown", "the message did not ask for read receipts"},
    {26322, MT_ERR_NOT_FOUND, "receipts.unknown", "the cloud knows no receipts of this message"},
    /* the connection */
    {30001, MT_ERR_NETWORK, "live.lost", "the connection is of no use any more"},
    {30002, MT_ERR_NETWORK, ".offline", "there is no connection"},
    {30003, MT_ERR_TIMEOUT, ".timeout", "the cloud did not answer in time"},
    {30007, MT_ERR_NETWORK, "navigation.failed", "no navigator names a server"},
    {30010, MT_ERR_NETWORK, "live.lost", "the connection could not be made"},
    {30011, MT_ERR_NETWORK, "live.lost", "the connection was lost"},
    {30012, MT_ERR_TIMEOUT, "live.silent", "the cloud does not answer any more"},
    {30014, MT_ERR_NETWORK, ".offline", "it was not sent: the connection was lost"},
    {30015, MT_ERR_RATE, "rate.limited", "too many connections were made: later again"},
    {30016, MT_ERR_LIMIT, "send.too_large", "the message is larger than the cloud takes (128 KiB)"},
    {30017, MT_ERR_UNSUPPORTED, "send.kind", "the cloud takes no message of this kind"},
    {31000, MT_ERR_TIMEOUT, "live.timeout", "the cloud did not answer the login in time"},
    {31001, MT_ERR_PROTOCOL, "live.refused", "the cloud wants another version of the protocol"},
    {31002, MT_ERR_AUTH, "auth.refused",
     "the cloud refused the app key: check appkey and token, both are of one app"},
    {31003, MT_ERR_REMOTE, "server.busy", "the cloud's server takes no connection now"},
    {31004, MT_ERR_AUTH, "auth.token_rejected",
     "the token is not of this app or user, or not of this data centre: check appkey, user and "
     "token"},
    {31005, MT_ERR_AUTH, "auth.refused", "the cloud does not permit this app to connect"},
    {31006, MT_ERR_NETWORK, "live.redirected", "the cloud sends the connection elsewhere"},
    {31007, MT_ERR_DENIED, "auth.forbidden",
     "the app names packages that may connect, and this is none: change that in the console"},
    {31008, MT_ERR_DENIED, "auth.forbidden", "the app is blocked or deleted: see the console"},
    {31009, MT_ERR_DENIED, "auth.user_banned", "the user is blocked: unblock it in the console"},
    {31010, MT_ERR_DENIED, "kicked.other_device", "the user has logged in on another device"},
    {31011, MT_ERR_DENIED, "kicked.by_cloud", "the cloud ended the session of this user"},
    {31020, MT_ERR_AUTH, "auth.token_expired", "the token has expired: " NEW_TOKEN},
    {31021, MT_ERR_DENIED, "auth.device", "the cloud refuses this device: give it another name"},
    {31022, MT_ERR_DENIED, "auth.forbidden",
     "the app names the hosts that may connect, and this is none: change that in the console"},
    {31023, MT_ERR_DENIED, "auth.too_many_devices",
     "another client of this user is online, and the app permits one: end that one"},
    {31024, MT_ERR_DENIED, "auth.limit", "the app has reached its limit of connected users"},
    {31025, MT_ERR_DENIED, "auth.wrong_cluster",
     "the app is in another data centre: set navigators to those of its area"},
    {31026, MT_ERR_AUTH, "auth.refused", "the app is not permitted to connect: see the console"},
    {31027, MT_ERR_AUTH, "auth.token_used", "the token was good for one login: " NEW_TOKEN},
    {31028, MT_ERR_DENIED, "auth.forbidden", "the app does not permit clients of this platform"},
    {31029, MT_ERR_NOT_FOUND, "user.unknown", "the user's account was given up"},
    {31030, MT_ERR_DENIED, "auth.licence", "the licence of the cloud has expired"},
    {32054, MT_ERR_NETWORK, "live.lost", "the connection was reset"},
    {32061, MT_ERR_NETWORK, "live.lost", "the connection was refused"},
    {33003, MT_ERR_INVALID, "request.malformed", "the cloud could not read the request"},
    {33007, MT_ERR_UNSUPPORTED, "history.not_opened", "message roaming: " OPEN_FEATURE},
    {33402, MT_ERR_DENIED, "edit.too_late", "the time in which a message can be edited is over"},
    {34014, MT_ERR_UNSUPPORTED, "receipts.version",
     "the app uses another version of read receipts than this one"},
    {34206, MT_ERR_LIMIT, "request.limit", "there are too many messages in one request"},
    {34435, MT_ERR_UNSUPPORTED, "unread.by_cloud", "the cloud counts unread messages for this app"},
    {34436, MT_ERR_UNSUPPORTED, "unread.not_opened",
     "the cloud does not count unread messages for this app"},
    {35008, MT_ERR_NETWORK, "live.no_server", "none of the cloud's servers can be reached"},
    {35011, MT_ERR_STATE, "conversations.not_synced",
     "the list of conversations is not there yet: wait for the event"},
};

static const struct rule *find(int code)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].number == code)
            return &rules[i];
    return NULL;
}

enum mt_rc mt_rong_fault(struct mt_fault *fault, int code, const char *verb)
{
    const struct rule *rule = find(code);
    const char *name = mt_rong_code_name(code);
    char text[MT_FAULT_CODE_MAX];

    if (rule != NULL) {
        snprintf(text, sizeof text, "%s%s", rule->code[0] == '.' ? verb : "", rule->code);
        (void)mt_fault_set(fault, rule->kind, text, "%s (%d%s%s)", rule->text, code,
                           name != NULL ? " " : "", name != NULL ? name : "");
    } else {
        snprintf(text, sizeof text, "%s.refused", verb);
        (void)mt_fault_set(fault, code >= 34200 && code < 34300 ? MT_ERR_INVALID : MT_ERR_REMOTE,
                           text, "the cloud refused it with %d%s%s", code, name != NULL ? " " : "",
                           name != NULL ? name : "");
        fault->retryable = false;
    }
    fault->provider_code = code;
    return fault->kind;
}

int mt_rong_connack_code(unsigned status)
{
    static const int codes[] = {0,     31001, 31002, 31003, 31004, 31005, 31006,
                                31007, 31008, 31009, 31020, 31021, 31022, 31023,
                                31024, 31025, 31026, 31027, 31028, 31029, 31030};

    return status < sizeof codes / sizeof codes[0] ? codes[status] : 31005;
}

int mt_rong_disconnect_code(unsigned status)
{
    static const int codes[] = {0, 31010, 31011, 0, 0, 31011, 31006, 31020, 31001, 31029};

    return status < sizeof codes / sizeof codes[0] ? codes[status] : 0;
}
