/* Groups, contacts, attachments, the log and the counters, over real sockets. */
#include "tests.h"

#include "client.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define B "/sandbox/demo"

static struct server SERVER;

static int start(void **state)
{
    return server_with_data(state, &SERVER, NULL, false);
}

static int stop(void **state)
{
    server_stop(&SERVER);
    return remove_dir(state);
}

static void expect_error(const char *method, const char *target, const char *token, int status,
                         const char *text)
{
    struct answer answer = ask(&SERVER, method, target, token, NULL);
    if (answer.status != status || strcmp(str_at(&answer, "error_description"), text) != 0)
        fail_msg("%s %s: %d %s", method, target, answer.status, answer.body);
    answer_free(&answer);
}

static void test_groups_and_contacts(void **state)
{
    (void)state;
    struct answer answer =
        ask(&SERVER, "POST", B "/chatgroups?resource=r", "sandbox-agent",
            "{\"groupname\":\"Crew\",\"desc\":\"d\",\"public\":true,\"maxusers\":200,"
            "\"owner\":\"agent\",\"members\":[\"ann\",\"Ben\"]}");
    assert_int_equal(answer.status, 200);
    char id[64];
    (void)snprintf(id, sizeof id, "%s", str_at(&answer, "data.groupid"));
    answer_free(&answer);
    answer = ask(&SERVER, "GET", B "/users/ben/joined_chatgroups?pagenum=1&pagesize=20&version=v3",
                 "sandbox-ben", NULL);
    assert_string_equal(str_at(&answer, "data.0.groupid"), id);
    assert_string_equal(str_at(&answer, "data.0.groupname"), "Crew");
    assert_string_equal(str_at(&answer, "data.0.permission"), "member");
    answer_free(&answer);
    char target[128];
    (void)snprintf(target, sizeof target, B "/chatgroups/%s?joined_time=true", id);
    answer = ask(&SERVER, "GET", target, "sandbox-ann", NULL);
    assert_int_equal(int_at(&answer, "data.0.affiliations_count"), 3);
    assert_string_equal(str_at(&answer, "data.0.owner"), "agent");
    answer_free(&answer);
    answer = ask(&SERVER, "GET", B "/users/agent/joined_chatgroups?pagenum=2&pagesize=1",
                 "sandbox-agent", NULL);
    assert_int_equal(mt_json_count(at(&answer, "data")), 1);
    assert_string_equal(str_at(&answer, "data.0.groupid"), id); /* the second of two */
    answer_free(&answer);
    expect_error("GET", B "/chatgroups/77", "sandbox-agent", 404, "do not find this group");
    answer = ask(&SERVER, "GET", B "/users/agent/contacts/users", "sandbox-agent", NULL);
    assert_int_equal(mt_json_count(at(&answer, "data")), 12);
    answer_free(&answer);
    answer = ask(&SERVER, "GET",
                 B "/users/agent/contacts?needReturnRemark=true&limit=10&cursor=", "sandbox-agent",
                 NULL);
    assert_int_equal(mt_json_count(at(&answer, "data.contacts")), 10);
    (void)snprintf(target, sizeof target, B "/users/agent/contacts?limit=10&cursor=%s",
                   str_at(&answer, "data.cursor"));
    answer_free(&answer);
    answer = ask(&SERVER, "GET", target, "sandbox-agent", NULL);
    assert_int_equal(mt_json_count(at(&answer, "data.contacts")), 2);
    assert_string_equal(str_at(&answer, "data.cursor"), "");
    answer_free(&answer);
}

static void test_files(void **state)
{
    (void)state;
    static const char BODY[] =
        "--XyZ\r\nContent-Disposition: form-data; name=\"thumbnail-width\"\r\n\r\n170\r\n"
        "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"blob\"\r\n"
        "Content-Type: image/png\r\n\r\nPNG\0DATA\r\n--XyZ--\r\n";
    struct answer answer =
        ask_raw(&SERVER, "POST", B "/chatfiles?chat-type=CHAT&chat-target=bob", "sandbox-agent",
                "multipart/form-data; boundary=XyZ", BODY, sizeof BODY - 1);
    assert_int_equal(answer.status, 200);
    char target[256];
    char wrong[256];
    (void)snprintf(target, sizeof target, B "/chatfiles/%s?em-redirect=true&share-secret=%s",
                   str_at(&answer, "entities.0.uuid"), str_at(&answer, "entities.0.share-secret"));
    (void)snprintf(wrong, sizeof wrong, B "/chatfiles/%s?share-secret=guess",
                   str_at(&answer, "entities.0.uuid"));
    answer_free(&answer);
    answer = ask(&SERVER, "GET", target, "sandbox-bob", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_len, 8);
    assert_memory_equal(answer.body, "PNG\0DATA", 8);
    assert_non_null(strcasestr(answer.head, "content-type: image/png"));
    answer_free(&answer);
    expect_error("GET", wrong, "sandbox-bob", 403, "chatfile no permission");
    expect_error("GET", B "/chatfiles/none", "sandbox-bob", 404, "there is no such file");
    size_t big_len = (size_t)10 * 1024 * 1024 + 4096;
    char *big = mt_mem_calloc(1, big_len);
    static const char HEAD[] = "--XyZ\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
    (void)snprintf(big, 200, "%s", HEAD);
    (void)snprintf(big + big_len - 12, 12, "\r\n--XyZ--\r\n");
    answer = ask_raw(&SERVER, "POST", B "/chatfiles", "sandbox-agent",
                     "multipart/form-data; boundary=XyZ", big, big_len);
    assert_int_equal(answer.status, 413);
    answer_free(&answer);
    mt_mem_free(big);
    answer = ask_raw(&SERVER, "POST", B "/chatfiles", "sandbox-agent",
                     "multipart/form-data; boundary=XyZ", BODY, 60); /* cut */
    assert_int_equal(answer.status, 400);
    answer_free(&answer);
}

static void test_log_and_stats(void **state)
{
    static const char PAGE_ONE[] =
        "{\"queue\":\"crowd@conference.easemob.com\",\"start\":-1,\"pull_number\":10}";
    (void)state;
    set_faults(&SERVER, "log=on");
    struct answer answer =
        ask(&SERVER, "POST", B "/users/agent/messageroaming", "sandbox-agent", PAGE_ONE);
    answer_free(&answer);
    answer = ask(&SERVER, "GET", B "/users/agent/user_channels/page?pageNum=1&pageSize=2&_v=9",
                 "sandbox-agent", NULL);
    answer_free(&answer);
    answer = ask(&SERVER, "GET", "/sandbox/log", NULL, NULL);
    assert_int_equal(mt_json_count(answer.json), 2);
    assert_string_equal(str_at(&answer, "0.method"), "POST");
    assert_string_equal(str_at(&answer, "0.path"), B "/users/agent/messageroaming");
    assert_string_equal(str_at(&answer, "0.body"), PAGE_ONE);
    assert_string_equal(str_at(&answer, "1.query"), "pageNum=1&pageSize=2&_v=9");
    assert_string_equal(str_at(&answer, "1.authorization"), "Bearer sandbox-agent");
    answer_free(&answer);
    answer = ask(&SERVER, "POST", "/sandbox/reset-log", NULL, "");
    answer_free(&answer);
    answer = ask(&SERVER, "GET", "/sandbox/log", NULL, NULL);
    assert_int_equal(mt_json_count(answer.json), 0);
    answer_free(&answer);
    answer = ask(&SERVER, "GET", "/sandbox/stats", NULL, NULL);
    assert_int_equal(int_at(&answer, "pages"), 1);
    assert_int_equal(int_at(&answer, "messages"), 78 + 130);
    answer_free(&answer);
    answer = ask(&SERVER, "GET", "/sandbox/faults", NULL, NULL);
    assert_string_equal(str_at(&answer, "faults"), "log=on");
    answer_free(&answer);
}

int test_rest_more(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_groups_and_contacts, start, stop),
        cmocka_unit_test_setup_teardown(test_files, start, stop),
        cmocka_unit_test_setup_teardown(test_log_and_stats, start, stop),
    };
    return cmocka_run_group_tests_name("rest, more", tests, NULL, NULL);
}
