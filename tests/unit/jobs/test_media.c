/* Fetching attachments: each once, what is refused is written down, what fails is asked for again,
 * and an end in the middle loses nothing. */
#include "ground.h"

#include "../ids.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/hash.h"
#include "jobs/media.h"
#include "provider/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int test_media(void);

/* A cloud that answers by the first letter of an attachment's id: o gives it, e has it no longer, f
 * forbids it, n has no network, a does not know the user. */
struct mt_provider_account {
    struct ground *ground;
    unsigned asked_n, now, peak;
    bool hold; /* answers nothing until it is cancelled */
    struct mt_media_job *cancel_at_third;
};

struct mt_provider_call {
    struct mt_provider_account *account;
    char remote[64];
    char path[4200];
    mt_downloaded_fn *done;
    void *ud;
    bool cancelled, posted;
};

static void refuse(struct mt_provider_call *call, struct mt_fault *fault)
{
    switch (call->remote[0]) {
    case 'e':
        (void)mt_fault_set(fault, MT_ERR_NOT_FOUND, "download.expired", "gone");
        break;
    case 'f':
        (void)mt_fault_set(fault, MT_ERR_DENIED, "download.forbidden", "no");
        break;
    case 'a':
        (void)mt_fault_set(fault, MT_ERR_AUTH, "auth.token_rejected", "who?");
        break;
    default:
        (void)mt_fault_set(fault, MT_ERR_NETWORK, "http.connect", "nobody there");
        break;
    }
}

static void answer(void *ud)
{
    struct mt_provider_call *call = ud;
    struct mt_provider_account *account = call->account;
    struct mt_fault fault;
    uint8_t digest[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];
    struct mt_downloaded downloaded = {.bytes = (int64_t)strlen(call->remote), .sha256 = hex};

    account->now--;
    if (call->cancelled) {
        (void)mt_fault_set(&fault, MT_ERR_CANCELLED, "cancelled", "cancelled");
        call->done(call->ud, MT_ERR_CANCELLED, NULL, &fault);
    } else if (call->remote[0] != 'o') {
        refuse(call, &fault);
        call->done(call->ud, fault.kind, NULL, &fault);
    } else {
        assert_int_equal(mt_fs_replace(call->path, call->remote, strlen(call->remote)), 0);
        mt_sha256_of(call->remote, strlen(call->remote), digest);
        mt_hex(digest, sizeof digest, hex);
        call->done(call->ud, MT_OK, &downloaded, NULL);
    }
    free(call);
}

static void cancel_job(void *ud)
{
    mt_media_cancel(ud);
}

static enum mt_rc download(struct mt_provider_account *account, const struct mt_download *what,
                           mt_progress_fn *progress, mt_downloaded_fn *done, void *ud,
                           struct mt_provider_call **out)
{
    struct mt_provider_call *call = calloc(1, sizeof *call);
    const struct mt_value *remote = mt_value_get(what->body, "remote_path");

    (void)progress;
    assert_true(what->any_size);
    call->account = account;
    call->done = done;
    call->ud = ud;
    snprintf(call->remote, sizeof call->remote, "%s", remote->s);
    snprintf(call->path, sizeof call->path, "%s", what->path);
    account->asked_n++;
    if (++account->now > account->peak)
        account->peak = account->now;
    if (account->cancel_at_third && account->asked_n == 3)
        assert_int_equal(mt_loop_post(account->ground->loop, cancel_job, account->cancel_at_third),
                         MT_OK);
    call->posted = !account->hold;
    if (call->posted)
        assert_int_equal(mt_loop_post(account->ground->loop, answer, call), MT_OK);
    *out = call;
    return MT_OK;
}

static void cancel(struct mt_provider_call *call)
{
    call->cancelled = true;
    if (!call->posted)
        assert_int_equal(mt_loop_post(call->account->ground->loop, answer, call), MT_OK);
    call->posted = true;
}

static const struct mt_provider_live live = {.download = download};
static const struct mt_provider cloud = {.name = "model", .live = &live, .cancel = cancel};

/* ---------------------------------------------------------------- an archive and a job */

static void appended(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    (void)ud;
    (void)fault;
    assert_int_equal(rc, MT_OK);
}

/* One message line for each address, in a conversation of its own. */
static void add(struct ground *g, const char *conversation, const char *const *remotes)
{
    struct mt_archive_batch batch = {.conversation = conversation,
                                     .complete = true,
                                     .synced_ms = 1,
                                     .first_id = "1",
                                     .first_ms = 1};
    struct mt_buf text;

    mt_buf_init(&text, 1 << 20);
    for (; *remotes; remotes++) {
        unsigned long long id = ++batch.messages_n;
        mt_buf_appendf(&text,
                       "{\"v\":1,\"id\":\"%llu\",\"conversation\":\"%s\",\"time\":%llu,"
                       "\"body\":{\"remote_path\":\"%s\",\"secret\":\"s\"}}\n",
                       id, conversation, id, *remotes);
    }
    batch.lines = text.data;
    batch.lines_len = text.len;
    batch.lines_n = batch.messages_n;
    id_put(batch.last_id, batch.messages_n);
    id_put(batch.cursor, batch.messages_n);
    batch.last_ms = (int64_t)batch.messages_n;
    assert_int_equal(mt_writer_append(g->writer, &batch, appended, NULL), MT_OK);
    mt_loop_run(g->loop);
    mt_buf_deinit(&text);
}

struct run {
    unsigned done_n, told_n;
    enum mt_rc rc;
    struct mt_media_result result;
    struct mt_fault fault;
};

static void on_progress(void *ud, const struct mt_media_result *so_far)
{
    struct run *run = ud;

    assert_true(so_far->fetched_n >= run->result.fetched_n);
    run->result = *so_far;
    run->told_n++;
}

static void on_done(void *ud, enum mt_rc rc, const struct mt_media_result *result,
                    const struct mt_fault *fault)
{
    struct run *run = ud;

    assert_true((rc == MT_OK) == (fault == NULL));
    run->done_n++;
    run->rc = rc;
    run->result = *result;
    if (fault)
        run->fault = *fault;
}

static struct run fetch(struct ground *g, struct mt_provider_account *account,
                        const struct mt_media_options *options, bool cancels)
{
    static const struct mt_media_options none = {0};
    struct run run = {0};
    struct mt_media_job *job = NULL;
    struct mt_fault fault;

    account->ground = g;
    account->asked_n = account->peak = 0;
    assert_int_equal(mt_media_start(g->loop, &cloud, account, g->writer, options ? options : &none,
                                    on_progress, on_done, &run, &job, &fault),
                     MT_OK);
    account->cancel_at_third = cancels ? job : NULL;
    mt_loop_run(g->loop);
    assert_int_equal(run.done_n, 1);
    assert_int_equal(account->now, 0);
    return run;
}

static void each_is_fetched_once(void **state)
{
    static const char *const a[] = {"o1", "o2", "e3", "f4", "o1", NULL};
    static const char *const b[] = {"o5", "o2", NULL};
    static const char *const only[] = {"single:b", "single:none", NULL};
    struct ground *g = *state;
    struct mt_provider_account account = {0};

    add(g, "single:a", a);
    add(g, "single:b", b);
    struct run run =
        fetch(g, &account, &(struct mt_media_options){.conversations = only, .parallel = 1}, false);
    assert_int_equal(run.result.found_n, 2);
    assert_int_equal(run.result.fetched_n, 2);
    assert_int_equal(account.peak, 1);
    run = fetch(g, &account, &(struct mt_media_options){.parallel = 3}, false);
    assert_int_equal(run.rc, MT_OK);
    assert_int_equal(run.result.found_n, 7);
    assert_int_equal(run.result.known_n, 2);
    assert_int_equal(run.result.fetched_n, 3);
    assert_int_equal(run.result.missing_n, 2);
    assert_int_equal(run.result.failed_n, 0);
    assert_true(account.asked_n <= 4); /* o2 was there; o1 may be asked for twice at once */
    assert_int_equal(account.peak, 3);
    assert_true(run.told_n > 0);
    run = fetch(g, &account, NULL, false);
    assert_int_equal(run.result.known_n, 5);
    assert_int_equal(run.result.missing_n, 2);
    assert_int_equal(account.asked_n, 1); /* what was forbidden may be allowed now */
    ground_close(g, true);
    assert_int_equal(ground_verdict(g), MT_VERIFY_GAPS);
}

static void what_fails_is_asked_for_again(void **state)
{
    static const char *const few[] = {"n1", "o2", "n3", "n4", "n5", "o6", NULL};
    static const char *const many[] = {"n1", "n2", "n3", "n4", "n5", "o6", NULL};
    static const char *const strange[] = {"o1", "a2", "o3", NULL};
    static const char *const only[] = {"single:few", NULL};
    struct ground *g = *state;
    struct mt_provider_account account = {0};
    struct mt_media_options options = {.parallel = 1, .conversations = only};

    add(g, "single:few", few);
    struct run run = fetch(g, &account, &options, false);
    assert_int_equal(run.rc, MT_OK);
    assert_int_equal(run.result.failed_n, 4);
    assert_int_equal(run.result.fetched_n, 2);
    assert_string_equal(run.result.failure.code, "http.connect");
    run = fetch(g, &account, &options, false);
    assert_int_equal(account.asked_n, 4);

    add(g, "single:many", many); /* five in a row: nobody is there */
    options.conversations = (const char *const[]){"single:many", NULL};
    run = fetch(g, &account, &options, false);
    assert_int_equal(run.rc, MT_ERR_NETWORK);
    assert_int_equal(account.asked_n, 5);
    add(g, "single:strange", strange); /* no other can fare better */
    options.conversations = (const char *const[]){"single:strange", NULL};
    run = fetch(g, &account, &options, false);
    assert_int_equal(run.rc, MT_ERR_AUTH);
    assert_int_equal(account.asked_n, 2);
    assert_int_equal(run.result.fetched_n, 1); /* what was there is kept */
    ground_close(g, true);
}

static void cancelled_in_the_middle(void **state)
{
    static const char *const a[] = {"o1", "o2", "o3", "o4", "o5", "o6", NULL};
    struct ground *g = *state;
    struct mt_provider_account account = {0};

    add(g, "single:a", a);
    for (int hold = 0; hold < 2; hold++) {
        account.hold = hold;
        struct run run = fetch(g, &account, NULL, true);
        assert_int_equal(run.rc, MT_ERR_CANCELLED);
        assert_string_equal(run.fault.code, "cancelled");
    }
    account.hold = false;
    struct run run = fetch(g, &account, NULL, false);
    assert_int_equal(run.rc, MT_OK);
    assert_int_equal(run.result.known_n + run.result.fetched_n, 6);
    ground_close(g, true);
    assert_int_equal(ground_verdict(g), MT_VERIFY_COMPLETE);
}

/* Each allocation fails in turn: the job ends, once, and the next one goes on. */
static void memory_may_run_out(void **state)
{
    static const char *const a[] = {"o1", "e2", "o3", NULL};
    struct ground *g = *state;
    bool reached = true;

    add(g, "single:a", a);
    for (uint64_t n = 1; reached; n++) {
        struct mt_provider_account account = {.ground = g};
        struct mt_media_options options = {0};
        struct mt_media_job *job = NULL;
        struct run run = {0};
        struct mt_fault fault;

        mt_mem_seam_fail_at(n, 0);
        enum mt_rc rc = mt_media_start(g->loop, &cloud, &account, g->writer, &options, on_progress,
                                       on_done, &run, &job, &fault);
        /* loop, writer and the cloud of this test need memory, too: theirs is tried elsewhere */
        uint64_t made = mt_mem_seam_count();
        mt_mem_seam_fail_at(0, 0);
        reached = made >= n;
        if (rc == MT_OK) {
            mt_loop_run(g->loop);
            assert_int_equal(run.done_n, 1);
        }
        assert_true(reached || (rc == MT_OK && run.rc == MT_OK));
    }
    ground_close(g, true);
    assert_int_equal(ground_verdict(g), MT_VERIFY_GAPS);
}

int test_media(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_is_fetched_once, ground_begin, ground_end),
        cmocka_unit_test_setup_teardown(what_fails_is_asked_for_again, ground_begin, ground_end),
        cmocka_unit_test_setup_teardown(cancelled_in_the_middle, ground_begin, ground_end),
        cmocka_unit_test_setup_teardown(memory_may_run_out, ground_begin, ground_end),
    };
    return cmocka_run_group_tests_name("media", tests, NULL, NULL);
}
