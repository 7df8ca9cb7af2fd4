/* Answers that are not 200 (easemob.md §4.0, easemob-service.md §4): the cloud distinguishes its
 * refusals by status, by error_code and by English texts; all three are read here and nowhere else.
 */
#include "provider/easemob/faults_int.h"

#include "base/secret.h"
#include "codec/json.h"
#include "http/http.h"
#include "provider/easemob/files_int.h"

#include <string.h>

#define BODY_MAX  ((size_t)256 * 1024)
#define SAYS_MAX  120
#define ANY       0
#define NO_NUMBER 0

struct answer {
    int status;
    int64_t number;      /* error_code */
    char text[1024];     /* error, error_description and exception, for matching */
    char says[SAYS_MAX]; /* the description alone, for people */
};

/* Read from top to bottom; the first that fits counts. */
struct rule {
    int status;       /* ANY */
    int type;         /* the SDK's error type */
    const char *text; /* contained; NULL: whatever it says */
    int number;       /* error_code; NO_NUMBER */
    enum mt_rc kind;
    const char *code;
    const char *remedy;
};

#define OPEN_FEATURE                                                                               \
    "it is not opened for this app: open it in the Easemob console (paid plans only)"
#define ASK_TOKEN                                                                                  \
    "get a new user token from your app server and set it as token, or set password so that it "   \
    "can be "                                                                                      \
    "renewed"

static const struct rule rules[] = {
    {400, 17, "invalid password", NO_NUMBER, MT_ERR_AUTH, "auth.password_wrong",
     "the password is wrong: check password and user in the configuration"},
    {400, 17, "user not activated", NO_NUMBER, MT_ERR_AUTH, "auth.user_banned",
     "the user is banned: activate it in the console"},
    {400, MT_EM_TYPE_UPLOAD, "content improper", NO_NUMBER, MT_ERR_DENIED, "upload.improper",
     "the app's filter refuses what the file shows"},
    {400, 505, "not open message roaming", NO_NUMBER, MT_ERR_UNSUPPORTED, "history.not_opened",
     "message roaming: " OPEN_FEATURE},
    {403, 505, "messageroaming function not open", NO_NUMBER, MT_ERR_UNSUPPORTED,
     "history.not_opened", "message roaming: " OPEN_FEATURE},
    {400, 505, "not open reaction service", NO_NUMBER, MT_ERR_UNSUPPORTED, "service.not_opened",
     "reactions: " OPEN_FEATURE},
    {403, 505, "service not open", NO_NUMBER, MT_ERR_UNSUPPORTED, "service.not_opened",
     "the feature: " OPEN_FEATURE},
    {403, 505, "message report not open", NO_NUMBER, MT_ERR_UNSUPPORTED, "service.not_opened",
     "message reports: " OPEN_FEATURE},
    {403, 505, NULL, 40000, MT_ERR_UNSUPPORTED, "service.not_opened", "the feature: " OPEN_FEATURE},
    {403, 505, NULL, 60004, MT_ERR_UNSUPPORTED, "service.not_opened", "the feature: " OPEN_FEATURE},
    {403, 505, NULL, 15002, MT_ERR_UNSUPPORTED, "service.not_opened", "the feature: " OPEN_FEATURE},
    {ANY, 505, "unopened", NO_NUMBER, MT_ERR_UNSUPPORTED, "service.not_opened",
     "the feature: " OPEN_FEATURE},
    {ANY, 505, "not open", NO_NUMBER, MT_ERR_UNSUPPORTED, "service.not_opened",
     "the feature: " OPEN_FEATURE},
    {400, 50, "The quantity has exceeded the limit", NO_NUMBER, MT_ERR_LIMIT, "limit.exceeded",
     "a limit of the app's plan is reached"},
    {400, 50, NULL, 60006, MT_ERR_LIMIT, "limit.exceeded", "a limit of the app's plan is reached"},
    {400, 50, NULL, 60007, MT_ERR_LIMIT, "limit.exceeded", "a limit of the app's plan is reached"},
    {400, 50, NULL, 60009, MT_ERR_LIMIT, "limit.exceeded", "a limit of the app's plan is reached"},
    {400, 50, NULL, 60012, MT_ERR_LIMIT, "limit.exceeded", "a limit of the app's plan is reached"},
    {400, 605, "groupId can not be null", NO_NUMBER, MT_ERR_NOT_FOUND, "group.unknown",
     "there is no such group"},
    {400, 602, "The user not in this group", NO_NUMBER, MT_ERR_DENIED, "group.not_member",
     "the user is not a member of this group"},
    {ANY, 505, "group ack not open", NO_NUMBER, MT_ERR_UNSUPPORTED, "receipts.not_opened",
     "read receipts of groups: " OPEN_FEATURE},
    {ANY, 603, "group ack msg permission denied", NO_NUMBER, MT_ERR_DENIED, "receipts.denied",
     "only who sent the message, asking for receipts, may see who has read it"},
    {ANY, 17, "group ack msg not found", NO_NUMBER, MT_ERR_NOT_FOUND, "receipts.unknown",
     "the cloud knows no receipts of this message: they last three days, and only for messages "
     "that asked for them"},
    {400, 602, "are not members of this group", NO_NUMBER, MT_ERR_DENIED, "group.not_member",
     "the user is not a member of this group"},
    {400, -3, "Request body not readable", NO_NUMBER, MT_ERR_INVALID, "request.malformed",
     "the cloud could not read the request"},
    {400, -3, "param mark", NO_NUMBER, MT_ERR_INVALID, "request.malformed",
     "the mark is not valid"},
    {400, -3, "param pin_msg_id illegal", NO_NUMBER, MT_ERR_INVALID, "request.malformed",
     "the message id is not valid"},
    {401, 52, "Unable to authenticate (OAuth)", NO_NUMBER, MT_ERR_AUTH, "auth.token_rejected",
     "the token is not accepted: " ASK_TOKEN},
    {401, 52, NULL, 40001, MT_ERR_AUTH, "auth.token_rejected",
     "the token has no permission: " ASK_TOKEN},
    {401, 52, NULL, 60001, MT_ERR_AUTH, "auth.token_rejected",
     "the token has no permission: " ASK_TOKEN},
    {401, 17, "expired", NO_NUMBER, MT_ERR_AUTH, "auth.token_rejected",
     "the token has expired: " ASK_TOKEN},
    {401, 17, NULL, NO_NUMBER, MT_ERR_AUTH, "auth.token_rejected",
     "the token is not accepted: " ASK_TOKEN},
    {403, 50, NULL, 40005, MT_ERR_LIMIT, "limit.exceeded", "a limit of the app's plan is reached"},
    {403, 50, NULL, 40007, MT_ERR_LIMIT, "limit.exceeded", "a limit of the app's plan is reached"},
    {403, 50, NULL, 91002, MT_ERR_LIMIT, "limit.exceeded", "a limit of the app's plan is reached"},
    {403, 50, NULL, 91101, MT_ERR_LIMIT, "limit.exceeded", "a limit of the app's plan is reached"},
    {403, -3, NULL, 91102, MT_ERR_INVALID, "request.malformed", "the cloud refused a parameter"},
    {403, 606, "group member list is full", NO_NUMBER, MT_ERR_LIMIT, "group.full",
     "the group is full"},
    {403, 608, "group is disabled", NO_NUMBER, MT_ERR_DENIED, "group.disabled",
     "the group is disabled: enable it in the console"},
    {403, 603, NULL, NO_NUMBER, MT_ERR_DENIED, "denied", "the cloud denies this to the user"},
    {404, 17, "organization_application_not_found", NO_NUMBER, MT_ERR_NOT_FOUND, "app.unknown",
     "there is no such app on this REST host: check appkey, and rest for the right data centre"},
    {404, 204, "user not found", NO_NUMBER, MT_ERR_NOT_FOUND, "user.unknown",
     "the cloud does not know this user: check user and appkey in the configuration"},
    {400, 204, "user not found", NO_NUMBER, MT_ERR_NOT_FOUND, "user.unknown",
     "the cloud does not know this user: check user and appkey in the configuration"},
    {404, 204, "service_resource_not_found", NO_NUMBER, MT_ERR_NOT_FOUND, "user.unknown",
     "the cloud does not know this user: check user and appkey in the configuration"},
    {404, 204, "doesn't exist!", NO_NUMBER, MT_ERR_NOT_FOUND, "user.unknown",
     "the cloud does not know this user: check user and appkey in the configuration"},
    {404, 1400, NULL, 91001, MT_ERR_NOT_FOUND, "conversation.unknown",
     "there is no such conversation"},
    {404, 602, NULL, 60003, MT_ERR_DENIED, "group.not_member",
     "the user is not a member of this group"},
    {404, 602, NULL, 20004, MT_ERR_DENIED, "group.not_member",
     "the user is not a member of this group"},
    {404, 605, "do not find this group", NO_NUMBER, MT_ERR_NOT_FOUND, "group.unknown",
     "there is no such group"},
    {404, 605, "does not exist", NO_NUMBER, MT_ERR_NOT_FOUND, "group.unknown",
     "there is no such group or room"},
    {404, 17, NULL, NO_NUMBER, MT_ERR_NOT_FOUND, "request.unknown",
     "this REST host does not know the request: check rest and appkey"},
    {429, 50, "resource_limited", NO_NUMBER, MT_ERR_LIMIT, "limit.exceeded",
     "a quota of the app's plan is used up"},
    {429, 50, "The request has reached the maximum limit", NO_NUMBER, MT_ERR_RATE, "rate.limited",
     "the app's request limit is reached: set rate in the account lower, or run later"},
    {503, 50, "The request has reached the maximum limit", NO_NUMBER, MT_ERR_RATE, "rate.limited",
     "the app's request limit is reached: set rate in the account lower, or run later"},
    {429, 500, NULL, NO_NUMBER, MT_ERR_RATE, "rate.limited",
     "the cloud is busy or the app's request limit is reached: set rate in the account lower, or "
     "run later"},
    {503, 500, NULL, NO_NUMBER, MT_ERR_REMOTE, "server.busy", "the cloud is busy: run again later"},
    {500, -2, NULL, 90005, MT_ERR_REMOTE, "server.failed", "the cloud failed: run again later"},
    {500, -2, NULL, 99999, MT_ERR_REMOTE, "server.failed", "the cloud failed: run again later"},
    {400, 17, NULL, NO_NUMBER, MT_ERR_INVALID, "request.refused", "the cloud refused the request"},
};

static void add_text(struct answer *a, const struct mt_json *root, const char *key)
{
    const char *s = mt_json_str(mt_json_get(root, key));
    size_t used = strlen(a->text);
    size_t len = s == NULL ? 0 : strlen(s);

    if (s == NULL || used + 2 >= sizeof a->text)
        return;
    if (len + used + 2 > sizeof a->text)
        len = sizeof a->text - used - 2;
    memcpy(a->text + used, s, len);
    memcpy(a->text + used + len, "\n", 2);
}

static void read_answer(struct answer *a, const char *body, size_t len)
{
    struct mt_json *root = NULL;
    const char *says = NULL;

    if (mt_json_parse(body, len, BODY_MAX, &root, NULL) != MT_OK)
        return;
    add_text(a, root, "error");
    add_text(a, root, "error_description");
    add_text(a, root, "exception");
    a->number = mt_json_i64(mt_json_get(root, "error_code"), NO_NUMBER);
    says = mt_json_str(mt_json_get(root, "error_description"));
    if (says == NULL)
        says = mt_json_str(mt_json_get(root, "error"));
    if (says != NULL)
        mt_secret_shown(says, a->says, SAYS_MAX);
    for (char *c = a->says; *c != '\0'; c++)
        *c = (char)((unsigned char)*c < ' ' ? ' ' : *c);
    mt_json_free(root);
}

static const struct rule *find_rule(const struct answer *a)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *r = &rules[i];

        if ((r->status == ANY ? a->status >= 400 && a->status < 500 : r->status == a->status) &&
            (r->text == NULL || strstr(a->text, r->text) != NULL) &&
            (r->number == NO_NUMBER || r->number == a->number))
            return r;
    }
    return NULL;
}

/* "service not open" means the conversation list when that was asked for, and so on. */
static const char *name_feature(const struct rule *rule, enum mt_em_feature feature,
                                const char **remedy)
{
    *remedy = rule->remedy;
    if (strcmp(rule->code, "service.not_opened") != 0)
        return rule->code;
    if (feature == MT_EM_FEATURE_CONVERSATIONS) {
        *remedy = "the server's conversation list: " OPEN_FEATURE;
        return "conversations.not_opened";
    }
    if (feature == MT_EM_FEATURE_HISTORY) {
        *remedy = "message roaming: " OPEN_FEATURE;
        return "history.not_opened";
    }
    if (feature == MT_EM_FEATURE_READERS) {
        *remedy = "read receipts of groups: " OPEN_FEATURE;
        return "receipts.not_opened";
    }
    return rule->code;
}

enum mt_rc mt_em_fault_answer(struct mt_fault *fault, enum mt_em_feature feature, int status,
                              const char *body, size_t len)
{
    struct answer a = {.status = status};
    const struct rule *rule = NULL;
    const char *remedy = NULL;
    const char *code = NULL;
    enum mt_rc kind = MT_ERR_PROTOCOL;
    const char *says = a.says;

    if (body != NULL && len > 0)
        read_answer(&a, body, len);
    rule = find_rule(&a);
    if (rule != NULL) {
        code = name_feature(rule, feature, &remedy);
        kind = rule->kind;
    } else if (status >= 500) {
        kind = MT_ERR_REMOTE;
        code = "server.failed";
        remedy = "the cloud failed: run again later";
    } else { /* success is exactly 200 (§4.0) */
        code = "http.status";
        remedy = "the cloud gave an answer that its protocol does not know";
    }
    if (says[0] != '\0')
        kind = mt_fault_set(fault, kind, code, "%s (HTTP %d: %s)", remedy, status, says);
    else
        kind = mt_fault_set(fault, kind, code, "%s (HTTP %d)", remedy, status);
    if (fault != NULL) {
        fault->http_status = status;
        fault->provider_code = rule != NULL ? rule->type : 17;
    }
    return kind;
}

enum mt_rc mt_em_fault_http(struct mt_fault *fault, enum mt_em_feature feature, enum mt_rc rc,
                            const struct mt_http_response *response, const struct mt_fault *cause)
{
    if (response != NULL && response->status > 0 &&
        (rc == MT_OK || rc == MT_ERR_RATE || rc == MT_ERR_REMOTE)) {
        enum mt_rc kind = mt_em_fault_answer(fault, feature, response->status, response->body,
                                             response->body_len);

        fault->retry_after_ms = response->retry_after_ms;
        return kind;
    }
    if (cause != NULL && cause->kind != MT_OK)
        *fault = *cause;
    else
        (void)mt_fault_set(fault, rc, "http.failed", "the request failed: %s", mt_rc_name(rc));
    if (rc == MT_ERR_TIMEOUT)
        fault->provider_code = -2;
    else if (rc == MT_ERR_NETWORK)
        fault->provider_code = -1;
    return fault->kind;
}
