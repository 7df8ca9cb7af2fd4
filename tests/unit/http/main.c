/* Runs the tests of engine/http. */
#include "tests.h"

#include "base/rand.h"
#include "http/http_int.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

void ground_begin(struct ground *ground, const struct mt_http_options *options,
                  bool (*answer)(void *ud, struct peer *peer, const struct request *request),
                  void *ud)
{
    struct mt_fault fault = {0};
    *ground = (struct ground){0};
    assert_int_equal(mt_loop_new(&ground->loop), MT_OK);
    assert_int_equal(mt_http_new(ground->loop, options, &ground->http, &fault), MT_OK);
    if (answer) {
        ground->server = server_start(&(struct server_options){.answer = answer, .ud = ud});
    }
}

void ground_end(struct ground *ground)
{
    mt_http_free(ground->http);
    assert_int_equal(mt_loop_free(ground->loop), MT_OK);
    if (ground->server) {
        server_stop(ground->server);
    }
    mt_rand_seed(0);
}

void ended_done(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                const struct mt_fault *fault)
{
    struct ended *ended = ud;
    assert_non_null(response);
    assert_true((fault == NULL) == (rc == MT_OK));
    ended->done_n++;
    ended->rc = rc;
    ended->status = response->status;
    assert_int_equal(response->body[response->body_len], '\0');
    free(ended->body);
    ended->body = malloc(response->body_len + 1);
    memcpy(ended->body, response->body, response->body_len + 1);
    ended->body_len = response->body_len;
    strncpy(ended->content_type, response->content_type, sizeof ended->content_type - 1);
    ended->date_ms = response->date_ms;
    ended->retry_after_ms = response->retry_after_ms;
    ended->attempts = response->attempts;
    ended->call = NULL;
    if (fault) {
        ended->fault = *fault;
        assert_int_equal(fault->kind, rc);
    }
}

void ended_clear(struct ended *ended)
{
    free(ended->body);
    *ended = (struct ended){0};
}

void begin(struct ground *ground, const struct mt_http_request *request, struct ended *ended)
{
    struct mt_fault fault = {0};
    enum mt_rc rc = mt_http_start(ground->http, request, ended_done, ended, &ended->call, &fault);
    if (rc != MT_OK) {
        print_error("%s\n", fault.message);
    }
    assert_int_equal(rc, MT_OK);
    assert_int_equal(ended->done_n, 0);
}

void get(struct ground *ground, const char *path, struct mt_http_request request,
         struct ended *ended)
{
    ended_clear(ended);
    request.method = request.method ? request.method : "GET";
    request.url = server_url(ground->server, path);
    begin(ground, &request, ended);
    mt_loop_run(ground->loop); /* ends by itself: nothing idle may keep it alive */
    assert_int_equal(ended->done_n, 1);
}

void quick_backoff(unsigned n)
{
    for (uint64_t seed = 1;; seed++) {
        int64_t sum_ms = 0;
        mt_rand_seed(seed);
        for (unsigned i = 0; i < n; i++) {
            sum_ms += backoff_ms(i);
        }
        if (sum_ms < 10 + 10 * (int64_t)n * n) {
            mt_rand_seed(seed);
            return;
        }
    }
}

int main(void)
{
    int failed = 0;
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("all_proxy");
    signal(SIGPIPE, SIG_IGN);
    failed += test_parse();
    failed += test_bucket();
    failed += test_answers();
    failed += test_faults();
    failed += test_rate();
    failed += test_life();
    failed += test_tls();
    failed += test_files();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
