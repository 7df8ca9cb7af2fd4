/* Attachments over real sockets: plain and in parts, restricted, too large, expired, and in the
 * object storage. */
#include "tests.h"

#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define B       "/sandbox/demo"
#define TOKEN   "sandbox-agent"
#define PART    (5 * 1024 * 1024)
#define FORM    "multipart/form-data; boundary=b1"
#define LOCKED  FORM "\r\nrestrict-access: true"
#define SECRETS 64

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

/* A body of one part; number: a second one, part_number. */
static char *form(const char *name, const char *data, size_t len, const char *number, size_t *size)
{
    char *out = malloc(len + 1024);
    size_t n = (size_t)sprintf(out,
                               "--b1\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"x\""
                               "\r\nContent-Type: image/png\r\n\r\n",
                               name);
    memcpy(out + n, data, len);
    n += len;
    if (number != NULL)
        n += (size_t)sprintf(out + n,
                             "\r\n--b1\r\nContent-Disposition: form-data; "
                             "name=\"part_number\"\r\n\r\n%s",
                             number);
    n += (size_t)sprintf(out + n, "\r\n--b1--\r\n");
    *size = n;
    return out;
}

static struct answer send_form(const char *method, const char *target, const char *type,
                               const char *name, const char *data, size_t len, const char *number)
{
    size_t size = 0;
    char *body = form(name, data, len, number, &size);
    struct answer answer = ask_raw(&SERVER, method, target, TOKEN, type, body, size);

    free(body);
    return answer;
}

/* Uploads, and gives path and secret. */
static void upload(const char *type, const char *data, size_t len, char path[128],
                   char secret[SECRETS])
{
    struct answer answer = send_form("POST", B "/chatfiles?chat-type=CHAT&chat-target=bob", type,
                                     "file", data, len, NULL);

    assert_int_equal(answer.status, 200);
    (void)snprintf(path, 128, B "/chatfiles/%s", str_at(&answer, "entities.0.uuid"));
    (void)snprintf(secret, SECRETS, "%s", str_at(&answer, "entities.0.share-secret"));
    answer_free(&answer);
}

static int status_of(const char *format, const char *path, const char *secret)
{
    char target[256];

    (void)snprintf(target, sizeof target, format, path, secret);
    struct answer answer = ask(&SERVER, "GET", target, TOKEN, NULL);
    int status = answer.status;
    answer_free(&answer);
    return status;
}

static void test_plain(void **state)
{
    char path[128], secret[SECRETS];

    (void)state;
    upload(FORM, "\0bytes\r\n--b", 11, path, secret);
    struct answer answer = ask(&SERVER, "GET", path, TOKEN, NULL); /* not restricted */
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_len, 11);
    assert_memory_equal(answer.body, "\0bytes\r\n--b", 11);
    assert_non_null(strcasestr(answer.head, "content-type: image/png"));
    answer_free(&answer);
    assert_int_equal(status_of("%s?share-secret=%s", path, "wrong"), 403);
    upload(LOCKED, "x", 1, path, secret);
    assert_int_equal(status_of("%s", path, ""), 403);
    assert_int_equal(status_of("%s?share-secret=%s", path, secret), 200);
    answer = ask(&SERVER, "GET", path, NULL, NULL);
    assert_int_equal(answer.status, 401);
    answer_free(&answer);
    assert_int_equal(status_of(B "/chatfiles/%s", "none", ""), 404);
    answer = send_form("POST", B "/chatfiles", FORM, "other", "x", 1, NULL);
    assert_int_equal(answer.status, 400);
    answer_free(&answer);
}

static void test_limit_and_expiry(void **state)
{
    char path[128], secret[SECRETS], other[128], other_secret[SECRETS];

    (void)state;
    set_faults(&SERVER, "max_file=10");
    struct answer answer = send_form("POST", B "/chatfiles", FORM, "file", "0123456789x", 11, NULL);
    assert_int_equal(answer.status, 413);
    answer_free(&answer);
    set_faults(&SERVER, "");
    upload(FORM, "one", 3, path, secret);
    upload(FORM, "two", 3, other, other_secret);
    answer = ask(&SERVER, "POST", "/sandbox/expire-files", NULL, strrchr(path, '/') + 1);
    assert_int_equal(int_at(&answer, "expired"), 1);
    answer_free(&answer);
    answer = ask(&SERVER, "GET", path, TOKEN, NULL);
    assert_int_equal(answer.status, 404);
    assert_string_equal(str_at(&answer, "error"), "file_expired");
    answer_free(&answer);
    assert_int_equal(status_of("%s", other, ""), 200);
    answer = ask(&SERVER, "POST", "/sandbox/expire-files", NULL, "");
    assert_true(int_at(&answer, "expired") >= 2);
    answer_free(&answer);
    assert_int_equal(status_of("%s", other, ""), 404);
}

static void begin_parts(char target[160])
{
    struct answer answer = ask(&SERVER, "POST", B "/sdk/chatfiles/part-upload", TOKEN, NULL);

    assert_int_equal(answer.status, 200);
    assert_int_equal(int_at(&answer, "entities.0.part_lower_limit"), PART);
    (void)snprintf(target, 160, B "/sdk/chatfiles/part-upload/%s",
                   str_at(&answer, "entities.0.uuid"));
    answer_free(&answer);
}

static int put_part(const char *target, const char *data, size_t len, const char *number)
{
    struct answer answer = send_form("PUT", target, FORM, "part_file", data, len, number);
    int status = answer.status;

    answer_free(&answer);
    return status;
}

static int end_parts(const char *target, char path[128], char secret[SECRETS])
{
    char full[256];

    (void)snprintf(full, sizeof full, "%s?restrict-access=true&chat-type=CHAT&chat-target=b",
                   target);
    struct answer answer = ask(&SERVER, "POST", full, TOKEN, NULL);
    int status = answer.status;
    if (status == 200) {
        (void)snprintf(path, 128, B "/chatfiles/%s", str_at(&answer, "entities.0.uuid"));
        (void)snprintf(secret, SECRETS, "%s", str_at(&answer, "entities.0.share-secret"));
    }
    answer_free(&answer);
    return status;
}

static void test_parts(void **state)
{
    char target[160], path[128], secret[SECRETS], full[256];
    char *data = malloc(PART + 3);

    (void)state;
    for (size_t i = 0; i < PART + 3; i++)
        data[i] = (char)(i * 31 >> 3);
    begin_parts(target);
    assert_int_equal(end_parts(target, path, secret), 400); /* nothing is there */
    assert_int_equal(put_part(target, data + PART, 3, "2"), 200);
    assert_int_equal(end_parts(target, path, secret), 400); /* the first is not */
    assert_int_equal(put_part(target, "xx", 2, "1"), 200);
    assert_int_equal(end_parts(target, path, secret), 400); /* it is too short */
    assert_int_equal(put_part(target, data, PART, "1"), 200);
    assert_int_equal(put_part(target, data, 3, "0"), 400);
    assert_int_equal(put_part(target, data, 3, "101"), 400);
    assert_int_equal(put_part(target, data, 3, "x"), 400);
    assert_int_equal(put_part(target, data, PART, "3"), 413); /* beyond 10 MiB */
    assert_int_equal(end_parts(target, path, secret), 200);
    assert_int_equal(status_of("%s", path, ""), 403);
    (void)snprintf(full, sizeof full, "%s?share-secret=%s", path, secret);
    struct answer answer = ask(&SERVER, "GET", full, TOKEN, NULL);
    assert_int_equal(answer.body_len, PART + 3);
    assert_memory_equal(answer.body, data, PART + 3);
    answer_free(&answer);
    assert_int_equal(put_part(target, data, 3, "1"), 404); /* it is ended */

    begin_parts(target);
    answer = ask(&SERVER, "DELETE", target, TOKEN, NULL);
    assert_int_equal(answer.status, 200);
    answer_free(&answer);
    assert_int_equal(put_part(target, data, 3, "1"), 404);
    set_faults(&SERVER, "no_parts");
    answer = ask(&SERVER, "POST", B "/sdk/chatfiles/part-upload", TOKEN, NULL);
    assert_int_equal(answer.status, 403);
    answer_free(&answer);
    set_faults(&SERVER, "");
    free(data);
}

static void test_storage(void **state)
{
    char path[128], secret[SECRETS], full[256], place[256] = "";
    struct server storage = SERVER;

    (void)state;
    set_faults(&SERVER, "storage");
    upload(LOCKED, "far", 3, path, secret);
    assert_int_equal(status_of("%s?share-secret=%s", path, secret), 200); /* did not ask for it */
    (void)snprintf(full, sizeof full, "%s?em-redirect=true&share-secret=%s", path, secret);
    struct answer answer = ask(&SERVER, "GET", full, TOKEN, NULL);
    assert_int_equal(answer.status, 302);
    const char *location = strcasestr(answer.head, "location: http://127.0.0.1:");
    assert_non_null(location);
    storage.port = (uint16_t)strtoul(location + 27, NULL, 10);
    assert_int_equal(sscanf(strchr(location + 27, '/'), "%255[^\r]", place), 1);
    answer_free(&answer);
    assert_int_not_equal(storage.port, SERVER.port);
    answer = ask(&storage, "GET", place, NULL, NULL);
    assert_int_equal(answer.status, 200);
    assert_memory_equal(answer.body, "far", 3);
    answer_free(&answer);
    answer = ask(&storage, "GET", place, TOKEN, NULL); /* a token has no business there */
    assert_int_equal(answer.status, 400);
    answer_free(&answer);
    *strchr(place, '?') = '\0';
    answer = ask(&storage, "GET", place, NULL, NULL);
    assert_int_equal(answer.status, 403);
    answer_free(&answer);
    set_faults(&SERVER, "");
}

int test_attachments(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_limit_and_expiry),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_storage),
    };
    return cmocka_run_group_tests_name("sandbox files", tests, start, stop);
}
