/* Every refusal of easemob.md §4.0: its kind, its stable code, the SDK's type number, and a line
 * that helps. */
#include "provider/easemob/faults_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

int test_faults(void);

static const struct {
    int status;
    const char *body;
    enum mt_em_feature feature;
    enum mt_rc kind;
    const char *code;
    int type;
    const char *says; /* part of the message */
} cases[] = {
    {400, "{\"error\":\"invalid_grant\",\"error_description\":\"invalid password\"}",
     MT_EM_FEATURE_LOGIN, MT_ERR_AUTH, "auth.password_wrong", 17, "password"},
    {400, "{\"error\":\"content improper\"}", MT_EM_FEATURE_HISTORY, MT_ERR_DENIED,
     "upload.improper", 101, "filter"},
    {404, "{\"error_description\":\"user not found\"}", MT_EM_FEATURE_LOGIN, MT_ERR_NOT_FOUND,
     "user.unknown", 204, "user"},
    {400, "{\"error\":\"invalid_grant\",\"error_description\":\"user not found\"}",
     MT_EM_FEATURE_LOGIN, MT_ERR_NOT_FOUND, "user.unknown", 204, "user"},
    {400, "{\"error_description\":\"this appKey not open message roaming\"}", MT_EM_FEATURE_HISTORY,
     MT_ERR_UNSUPPORTED, "history.not_opened", 505, "console"},
    {403, "{\"error_description\":\"messageroaming function not open\"}", MT_EM_FEATURE_HISTORY,
     MT_ERR_UNSUPPORTED, "history.not_opened", 505, "console"},
    {400, "{\"error_description\":\"this appKey is not open reaction service!\"}",
     MT_EM_FEATURE_LOGIN, MT_ERR_UNSUPPORTED, "service.not_opened", 505, "eactions"},
    {403, "{\"error_description\":\"service not open!\"}", MT_EM_FEATURE_CONVERSATIONS,
     MT_ERR_UNSUPPORTED, "conversations.not_opened", 505, "conversation list"},
    {403, "{\"error_code\":40000}", MT_EM_FEATURE_HISTORY, MT_ERR_UNSUPPORTED, "history.not_opened",
     505, "roaming"},
    {403, "{\"error_code\":60004}", MT_EM_FEATURE_LOGIN, MT_ERR_UNSUPPORTED, "service.not_opened",
     505, "console"},
    {400, "{\"error_description\":\"The quantity has exceeded the limit!\"}", MT_EM_FEATURE_HISTORY,
     MT_ERR_LIMIT, "limit.exceeded", 50, "limit"},
    {400, "{\"error_code\":60009}", MT_EM_FEATURE_HISTORY, MT_ERR_LIMIT, "limit.exceeded", 50,
     "limit"},
    {400, "{\"error_description\":\"groupId can not be null!\"}", MT_EM_FEATURE_HISTORY,
     MT_ERR_NOT_FOUND, "group.unknown", 605, "group"},
    {400, "{\"error_description\":\"The user not in this group!\"}", MT_EM_FEATURE_HISTORY,
     MT_ERR_DENIED, "group.not_member", 602, "member"},
    {400,
     "{\"error_description\":\"Request body not readable.Please check content type is correct!\"}",
     MT_EM_FEATURE_HISTORY, MT_ERR_INVALID, "request.malformed", -3, "request"},
    {400, "{\"error_description\":\"whatever\"}", MT_EM_FEATURE_HISTORY, MT_ERR_INVALID,
     "request.refused", 17, "whatever"},
    {401, "{\"error_description\":\"Unable to authenticate (OAuth)\"}", MT_EM_FEATURE_HISTORY,
     MT_ERR_AUTH, "auth.token_rejected", 52, "token"},
    {401, "{\"error_description\":\"Unable to authenticate due to expired access token\"}",
     MT_EM_FEATURE_HISTORY, MT_ERR_AUTH, "auth.token_rejected", 17, "expired"},
    {401, "", MT_EM_FEATURE_HISTORY, MT_ERR_AUTH, "auth.token_rejected", 17, "token"},
    {403, "{\"error_code\":40005}", MT_EM_FEATURE_HISTORY, MT_ERR_LIMIT, "limit.exceeded", 50,
     "limit"},
    {403, "{\"error_description\":\"can not operate this group, reason: group is disabled\"}",
     MT_EM_FEATURE_HISTORY, MT_ERR_DENIED, "group.disabled", 608, "disabled"},
    {403, "{}", MT_EM_FEATURE_HISTORY, MT_ERR_DENIED, "denied", 603, "denies"},
    {404, "{\"error\":\"organization_application_not_found\"}", MT_EM_FEATURE_LOGIN,
     MT_ERR_NOT_FOUND, "app.unknown", 17, "appkey"},
    {404, "{\"error_description\":\"username x doesn't exist!\"}", MT_EM_FEATURE_HISTORY,
     MT_ERR_NOT_FOUND, "user.unknown", 204, "user"},
    {404, "{\"error_code\":91001}", MT_EM_FEATURE_CONVERSATIONS, MT_ERR_NOT_FOUND,
     "conversation.unknown", 1400, "conversation"},
    {404, "{\"error_description\":\"do not find this group\"}", MT_EM_FEATURE_HISTORY,
     MT_ERR_NOT_FOUND, "group.unknown", 605, "group"},
    {404, "<html>nothing</html>", MT_EM_FEATURE_CONVERSATIONS, MT_ERR_NOT_FOUND, "request.unknown",
     17, "rest"},
    {429, "{\"error_description\":\"This request has reached api limit\"}", MT_EM_FEATURE_HISTORY,
     MT_ERR_RATE, "rate.limited", 500, "set rate in the account"},
    {429, "{\"error_description\":\"The request has reached the maximum limit\"}",
     MT_EM_FEATURE_HISTORY, MT_ERR_RATE, "rate.limited", 50, "set rate in the account"},
    {503, "{\"error_description\":\"busy\"}", MT_EM_FEATURE_HISTORY, MT_ERR_REMOTE, "server.busy",
     500, "busy"},
    {500, "{\"error_code\":99999}", MT_EM_FEATURE_HISTORY, MT_ERR_REMOTE, "server.failed", -2,
     "failed"},
    {502, "", MT_EM_FEATURE_HISTORY, MT_ERR_REMOTE, "server.failed", 17, "failed"},
    {201, "{\"data\":{}}", MT_EM_FEATURE_HISTORY, MT_ERR_PROTOCOL, "http.status", 17, "201"},
};

static void every_refusal_has_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mt_fault fault;
        enum mt_rc rc = mt_em_fault_answer(&fault, cases[i].feature, cases[i].status, cases[i].body,
                                           strlen(cases[i].body));

        if (rc != cases[i].kind || strcmp(fault.code, cases[i].code) != 0)
            print_error("# %d %s: %s %s\n", cases[i].status, cases[i].body, mt_rc_name(rc),
                        fault.code);
        assert_int_equal(rc, cases[i].kind);
        assert_int_equal(fault.kind, cases[i].kind);
        assert_string_equal(fault.code, cases[i].code);
        assert_int_equal(fault.provider_code, cases[i].type);
        assert_int_equal(fault.http_status, cases[i].status);
        assert_non_null(strstr(fault.message, cases[i].says));
        assert_null(strchr(fault.message, '\n'));
    }
}

static void what_the_cloud_says_is_one_line(void **state)
{
    static const char body[] = "{\"error_description\":\"line\\nline\\u0007\\u001b[31mred\"}";
    struct mt_fault fault;

    (void)state;
    (void)mt_em_fault_answer(&fault, MT_EM_FEATURE_HISTORY, 400, body, strlen(body));
    for (const char *c = fault.message; *c != '\0'; c++)
        assert_true((unsigned char)*c >= ' ');
}

int test_faults(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_has_its_name),
        cmocka_unit_test(what_the_cloud_says_is_one_line),
    };

    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
