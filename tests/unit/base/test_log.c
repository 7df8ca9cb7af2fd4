/* The log: formats, levels, escapes, redaction, and where lines go. */
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/str.h"
#include "tests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct sink {
    int n;
    enum mt_log_level level;
    char line[32768];
};

static void take(void *ud, enum mt_log_level level, const char *line)
{
    struct sink *sink = ud;
    sink->n++;
    sink->level = level;
    snprintf(sink->line, sizeof sink->line, "%s", line);
}

static int64_t fixed_ms(void *ud)
{
    return *(int64_t *)ud;
}

static int begin(void **state)
{
    static struct sink sink;
    sink = (struct sink){0};
    *state = &sink;
    mt_log_sink_set(take, &sink);
    return 0;
}

static int end(void **state)
{
    (void)state;
    mt_log_sink_set(NULL, NULL);
    mt_log_format_set(false);
    mt_log_level_set(MT_LOG_INFO);
    mt_clock_seam_set(NULL);
    return 0;
}

static void plain_lines(void **state)
{
    struct sink *sink = *state;
    mt_log(MT_LOG_WARN, "http", "answer %d", 500);
    assert_string_equal(sink->line, "warn http: answer 500");
    assert_int_equal(sink->level, MT_LOG_WARN);
    mt_log(MT_LOG_ERROR, "http", "a\nb\x1b[2J\x7f\xC2\x9B\xFF\"\\你");
    assert_string_equal(sink->line, "error http: a\\nb\\x1b[2J\\x7f\\u9b\\xff\"\\你");
}

static void json_lines(void **state)
{
    struct sink *sink = *state;
    int64_t now = 1700000000123;
    struct mt_clock_seam seam = {.wall_ms = fixed_ms, .ud = &now};
    mt_clock_seam_set(&seam);
    mt_log_format_set(true);
    mt_log(MT_LOG_INFO, "archive", "a\nb\x1b \"q\" \\ \xFF 你\x7f");
    assert_string_equal(
        sink->line, "{\"ts\":\"2023-11-14T22:13:20.123Z\",\"level\":\"info\",\"room\":\"archive\","
                    "\"message\":\"a\\nb\\u001b \\\"q\\\" \\\\ \\ufffd 你\\u007f\",\"fields\":{}}");
}

static void fields_beside_the_text(void **state)
{
    struct sink *sink = *state;
    struct mt_secret *secret = mt_secret_new("canary-field", 12);
    char many[3000];
    const struct mt_log_field fields[] = {
        {"job", "night\"ly\n"}, {"run", NULL}, {"code", ""}, {"token", "canary-field"}};
    struct mt_log_field all[MT_LOG_FIELDS + 3];

    mt_log_with(MT_LOG_WARN, "serve", fields, 4, "job %d", 1);
    assert_string_equal(sink->line, "warn serve: job 1");
    mt_log_format_set(true);
    mt_log_with(MT_LOG_WARN, "serve", fields, 4, "job %d", 1);
    assert_non_null(strstr(sink->line,
                           "\"message\":\"job 1\",\"fields\":{\"job\":\"night\\\"ly\\n\","
                           "\"token\":\"************\"}}"));
    memset(many, '\x01', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    for (size_t i = 0; i < MT_LOG_FIELDS + 3; i++)
        all[i] = (struct mt_log_field){
            i == MT_LOG_FIELDS ? "beyond" : "a key that is far too long to be one", many};
    mt_log_with(MT_LOG_WARN, "serve", all, MT_LOG_FIELDS + 3, "%s", many);
    assert_null(strstr(sink->line, "beyond"));
    assert_true(mt_str_ends(sink->line, "\\u0001\"}}"));
    mt_secret_free(secret);
}

static void levels(void **state)
{
    struct sink *sink = *state;
    assert_int_equal(mt_log_level_get(), MT_LOG_INFO);
    mt_log(MT_LOG_DEBUG, "x", "hidden");
    assert_int_equal(sink->n, 0);
    for (int set = MT_LOG_ERROR; set <= MT_LOG_TRACE; set++) {
        mt_log_level_set((enum mt_log_level)set);
        assert_int_equal(mt_log_level_get(), set);
        sink->n = 0;
        for (int level = MT_LOG_ERROR; level <= MT_LOG_TRACE; level++) {
            mt_log((enum mt_log_level)level, "x", "y");
        }
        assert_int_equal(sink->n, set + 1);
    }
}

static void keeps_secrets_out(void **state)
{
    struct sink *sink = *state;
    struct mt_secret *secret = mt_secret_new("canary-\"1\"", 10);
    for (int json = 0; json < 2; json++) {
        mt_log_format_set(json);
        mt_log(MT_LOG_INFO, "x",
               "raw %s url canary-%%221%%22 json canary-\\\"1\\\" b64 Y2FuYXJ5LSIxIg==",
               mt_secret_bytes(secret));
        assert_null(strstr(sink->line, "canary"));
        assert_null(strstr(sink->line, "Y2FuYXJ5"));
        assert_non_null(strstr(sink->line, "raw ********** url"));
    }
    /* across the place where a long message is cut */
    mt_log_format_set(false);
    char text[5000];
    for (size_t before = 4080; before <= 4096; before++) {
        memset(text, '.', before);
        snprintf(text + before, sizeof text - before, "%s and a tail so long",
                 mt_secret_bytes(secret));
        mt_log(MT_LOG_INFO, "x", "%s", text);
        assert_null(strstr(sink->line, "ca"));
        assert_true(mt_str_ends(sink->line, "…"));
    }
    mt_secret_free(secret);
}

static void bounds_a_line(void **state)
{
    struct sink *sink = *state;
    char text[20000];
    memset(text, '\x01', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int json = 0; json < 2; json++) {
        mt_log_format_set(json);
        mt_log(MT_LOG_INFO, "x", "%s", text);
        assert_true(strlen(sink->line) < 25000);
        assert_true(mt_str_ends(sink->line, json ? "\\u0001…\",\"fields\":{}}" : "\\x01…"));
    }
}

static void leaves_errno(void **state)
{
    (void)state;
    errno = ENOSPC;
    mt_log(MT_LOG_INFO, "x", "y");
    assert_int_equal(errno, ENOSPC);
}

static void goes_to_standard_error(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    mt_log_sink_set(NULL, NULL);
    mt_log(MT_LOG_INFO, "area", "to stderr");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    char got[100] = "";
    ssize_t n = read(ends[0], got, sizeof got - 1);
    close(ends[0]);
    assert_true(n > 0);
    assert_string_equal(got, "info area: to stderr\n");
}

int test_log(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(plain_lines, begin, end),
        cmocka_unit_test_setup_teardown(json_lines, begin, end),
        cmocka_unit_test_setup_teardown(fields_beside_the_text, begin, end),
        cmocka_unit_test_setup_teardown(levels, begin, end),
        cmocka_unit_test_setup_teardown(keeps_secrets_out, begin, end),
        cmocka_unit_test_setup_teardown(bounds_a_line, begin, end),
        cmocka_unit_test_setup_teardown(leaves_errno, begin, end),
        cmocka_unit_test_setup_teardown(goes_to_standard_error, begin, end),
    };
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
