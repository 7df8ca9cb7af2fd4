/* The verbs conversations and doctor against scripted answers: which form is asked, what is
 * remembered, what is said of a list that may not be whole. */
#include "world.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_verbs(void);

struct lists {
    int list_status, page_status, old_status; /* 0: 200 */
    const char *refusal;
    unsigned conversations; /* that exist */
    unsigned page_size_max;
    bool same_page; /* every page is the first */
};

struct got {
    struct world *world;
    char ids[8192];
    size_t n;
    char cursor[128];
    char form[16];
    bool truncated;
    char warning[256];
    size_t pages;
};

static void write_infos(struct mt_buf *out, bool jid, unsigned from, unsigned to)
{
    (void)mt_buf_append_str(out, "{\"data\":{\"channel_infos\":[");
    for (unsigned i = from; i < to; i++)
        (void)mt_buf_appendf(out,
                             jid ? "%s{\"channel_id\":\"org#app_u%u@easemob.com\",\"unread_num\":0}"
                                 : "%s{\"session_to\":\"u%u\",\"session_type\":\"chat\"}",
                             i > from ? "," : "", i);
    (void)mt_buf_append_str(out, "]");
}

static unsigned number_after(const char *query, const char *name)
{
    const char *at = strstr(query, name);

    return at == NULL ? 0 : (unsigned)strtoul(at + strlen(name), NULL, 10);
}

static int form_answer(struct lists *lists, const struct mt_ws_request *request, struct mt_buf *out)
{
    unsigned total = lists->conversations;

    if (strstr(request->path, "/user_channels/page") != NULL) {
        unsigned size = number_after(request->query, "pageSize=");
        unsigned page = number_after(request->query, "pageNum=");
        unsigned from = 0;

        if (lists->page_size_max > 0 && size > lists->page_size_max)
            size = lists->page_size_max;
        from = lists->same_page ? 0 : (page - 1) * size;
        write_infos(out, true, from < total ? from : total,
                    from + size < total ? from + size : total);
        (void)mt_buf_append_str(out, "}}");
        return lists->page_status;
    }
    if (strstr(request->path, "/user_channels/list") != NULL ||
        strstr(request->path, "/mark/search") != NULL) {
        unsigned size = number_after(request->query, "limit=");
        unsigned from = number_after(request->query, "cursor=c");
        unsigned to = from + size < total ? from + size : total;

        write_infos(out, false, from, to);
        if (to < total)
            (void)mt_buf_appendf(out, ",\"cursor\":\"c%u\"", to);
        (void)mt_buf_append_str(out, "}}");
        return lists->list_status;
    }
    write_infos(out, true, 0, total < 10 ? total : 10);
    (void)mt_buf_append_str(out, "}}");
    return lists->old_status;
}

static void lists_cloud(struct world *world, const struct mt_ws_request *request,
                        struct mt_ws_answer *answer)
{
    static char body[65536];
    struct lists *lists = world->ud;
    struct mt_buf out;
    int status = 0;

    if (strstr(request->path, "messageroaming") != NULL) {
        world_reply(answer, 400,
                    "{\"error_description\":\"this appKey not open message roaming\"}");
        return;
    }
    mt_buf_init(&out, sizeof body);
    status = form_answer(lists, request, &out);
    if (status == 0) {
        snprintf(body, sizeof body, "%s", out.data);
        world_reply(answer, 200, body);
    } else {
        world_reply(answer, status, lists->refusal);
    }
    mt_buf_deinit(&out);
}

static void on_list(void *ud, enum mt_rc rc, const struct mt_conversations_page *page,
                    const struct mt_fault *fault)
{
    struct got *got = ud;

    got->cursor[0] = '\0';
    if (rc == MT_OK) {
        got->pages++;
        for (size_t i = 0; i < page->n; i++, got->n++)
            snprintf(got->ids + strlen(got->ids), sizeof got->ids - strlen(got->ids), "%s ",
                     page->items[i].ref.target);
        snprintf(got->cursor, sizeof got->cursor, "%s", page->cursor == NULL ? "" : page->cursor);
        snprintf(got->form, sizeof got->form, "%s", page->form);
        snprintf(got->warning, sizeof got->warning, "%s",
                 page->warning == NULL ? "" : page->warning);
        got->truncated |= page->truncated;
    }
    world_done(got->world, rc, fault);
}

/* All pages, as a caller reads them. */
static struct got list_all(struct world *world, const struct mt_conversations_query *query)
{
    struct mt_conversations_query q = *query;
    struct got got = {.world = world};
    char cursor[128];

    do {
        snprintf(cursor, sizeof cursor, "%s", got.cursor);
        q.cursor = cursor;
        world->waiting++;
        assert_int_equal(mt_provider_easemob.conversations(world->account, &q, on_list, &got, NULL),
                         MT_OK);
        assert_true(got.pages < 1000);
        world_run(world);
    } while (world->rc == MT_OK && got.cursor[0] != '\0');
    return got;
}

static void begin(struct world *world, struct lists *lists, unsigned n)
{
    *lists = (struct lists){.conversations = n, .refusal = "{}"};
    world_init(world, lists_cloud);
    world->ud = lists;
    world_open(world, "alice", "t", NULL, NULL);
}

static void the_best_form_is_asked(void **state)
{
    struct mt_conversations_query query = {.mark = -1};
    struct lists lists;
    struct world world;
    struct got got;

    (void)state;
    begin(&world, &lists, 120);
    got = list_all(&world, &query);
    assert_int_equal(world.rc, MT_OK);
    assert_string_equal(got.form, "list");
    assert_int_equal(got.n, 120);
    assert_false(got.truncated);
    assert_string_equal(got.warning, "");
    assert_int_equal(world.seen_n, 3);
    assert_non_null(strstr(world.seen[0].line,
                           "GET /org/app/sdk/user/alice/user_channels/list?limit=50&cursor="
                           "&need_mark=true&needEmptySession=false&_v=1"));
    assert_non_null(strstr(world.seen[1].line, "?limit=50&cursor=c50&need_mark"));
    query.pinned_only = true;
    query.with_empty = true;
    query.limit = 7;
    world.seen_n = 0;
    (void)list_all(&world, &query);
    assert_non_null(
        strstr(world.seen[0].line,
               "list?limit=7&cursor=&is_top=true&need_mark=true&needEmptySession=true&_v=1"));
    query.mark = 3;
    world.seen_n = 0;
    (void)list_all(&world, &query);
    assert_non_null(strstr(world.seen[0].line,
                           "/org/app/sdk/user/alice/user_channels/mark/search?limit=7&cursor="
                           "&need_mark=true&mark=mark_3&_v=1"));
    world_deinit(&world);
}

static void a_full_list_is_doubted(void **state)
{
    struct mt_conversations_query query = {.mark = -1};
    struct lists lists;
    struct world world;
    struct got got;

    (void)state;
    begin(&world, &lists, 100);
    got = list_all(&world, &query);
    assert_int_equal(got.n, 100);
    assert_non_null(strstr(got.warning, "drops the least active"));
    world_deinit(&world);
}

static void the_paged_form_reads_to_the_end(void **state)
{
    struct mt_conversations_query query = {.mark = -1};
    struct lists lists;
    struct world world;
    struct got got;

    (void)state;
    for (unsigned max = 0; max <= 7; max += 7) { /* the server may give less than was asked for */
        begin(&world, &lists, 47);
        lists.list_status = 404;
        lists.page_size_max = max;
        got = list_all(&world, &query);
        assert_int_equal(world.rc, MT_OK);
        assert_string_equal(got.form, "page");
        assert_int_equal(got.n, 47);
        assert_false(got.truncated);
        assert_int_equal(world_count(&world, "user_channels/list"),
                         1); /* what is not offered is not asked again */
        assert_non_null(
            strstr(world.seen[1].line,
                   "GET /org/app/users/alice/user_channels/page?pageNum=1&pageSize=20&_v=1"));
        world.seen_n = 0;
        (void)list_all(&world, &query);
        assert_int_equal(world_count(&world, "user_channels/list"), 0);
        world_deinit(&world);
    }
}

static void a_page_for_ever_is_named(void **state)
{
    struct mt_conversations_query query = {.mark = -1, .form = "page"};
    struct lists lists;
    struct world world;

    (void)state;
    begin(&world, &lists, 30);
    lists.same_page = true;
    (void)list_all(&world, &query);
    assert_int_equal(world.rc, MT_ERR_PROTOCOL);
    assert_string_equal(world.fault.code, "conversations.repeats");
    assert_true(world.seen_n <= 4);
    world_deinit(&world);
}

static void the_old_stop_is_never_passed_off_as_all(void **state)
{
    struct mt_conversations_query query = {.mark = -1};
    struct lists lists;
    struct world world;
    struct got got;

    (void)state;
    begin(&world, &lists, 30);
    lists.list_status = 405;
    lists.page_status = 404;
    got = list_all(&world, &query);
    assert_int_equal(world.rc, MT_OK);
    assert_string_equal(got.form, "old");
    assert_int_equal(got.n, 10);
    assert_true(got.truncated);
    assert_non_null(strstr(got.warning, "10 conversations"));
    assert_string_equal(world.seen[2].line, "GET /org/app/users/alice/user_channels");
    lists.conversations = 4;
    got = list_all(&world, &query);
    assert_int_equal(got.n, 4);
    assert_false(got.truncated);
    assert_non_null(strstr(got.warning, "last 7 days"));
    world_deinit(&world);
}

static void no_form_at_all(void **state)
{
    struct mt_conversations_query query = {.mark = -1};
    struct lists lists;
    struct world world;

    (void)state;
    begin(&world, &lists, 30);
    lists.list_status = lists.page_status = lists.old_status = 403;
    lists.refusal = "{\"error_description\":\"service not open!\"}";
    (void)list_all(&world, &query);
    assert_int_equal(world.rc, MT_ERR_UNSUPPORTED);
    assert_string_equal(world.fault.code, "conversations.not_opened");
    assert_int_equal(world.seen_n, 3);
    world.seen_n = 0;
    lists.list_status = 404;
    lists.refusal = "{\"error_description\":\"user not found\"}"; /* no matter of forms */
    (void)list_all(&world, &query);
    assert_int_equal(world.rc, MT_ERR_NOT_FOUND);
    assert_string_equal(world.fault.code, "user.unknown");
    assert_int_equal(world.seen_n, 1);
    query.form = "newest";
    (void)list_all(&world, &query);
    assert_string_equal(world.fault.code, "conversations.form");
    query.form = "old";
    query.pinned_only = true;
    (void)list_all(&world, &query);
    assert_int_equal(world.rc, MT_ERR_UNSUPPORTED);
    world_deinit(&world);
}

static void pinned_ones_have_no_other_form(void **state)
{
    struct mt_conversations_query query = {.mark = -1, .pinned_only = true};
    struct lists lists;
    struct world world;

    (void)state;
    begin(&world, &lists, 30);
    lists.list_status = 404;
    (void)list_all(&world, &query);
    assert_int_equal(world.rc, MT_ERR_NOT_FOUND);
    assert_int_equal(world.seen_n, 1); /* a list of all would be another answer */
    world_deinit(&world);
}

/* ---- doctor ---- */

struct checks {
    struct world *world;
    char text[4096];
};

static void on_check(void *ud, const struct mt_check *check)
{
    struct checks *checks = ud;
    size_t used = strlen(checks->text);

    assert_true(check->detail[0] != '\0');
    snprintf(checks->text + used, sizeof checks->text - used, "%s=%s ", check->name, check->result);
}

static void on_doctor(void *ud, enum mt_rc rc, const struct mt_fault *fault)
{
    struct checks *checks = ud;

    world_done(checks->world, rc, fault);
}

static void expect_checks(struct world *world, const char *expected)
{
    struct checks checks = {.world = world};

    world->waiting++;
    assert_int_equal(mt_provider_easemob.doctor(world->account, on_check, on_doctor, &checks, NULL),
                     MT_OK);
    world_run(world);
    assert_string_equal(checks.text, expected);
}

static void dead_cloud(struct world *world, const struct mt_ws_request *request,
                       struct mt_ws_answer *answer)
{
    (void)world;
    (void)request;
    world_reply(answer, 401, "{}");
}

static void the_doctor_names_every_step(void **state)
{
    struct lists lists;
    struct world world;

    (void)state;
    begin(&world, &lists, 3);
    expect_checks(&world,
                  "configuration=ok service discovery=off connection=ok token=ok conversations=ok "
                  "history=off clock=skipped ");
    assert_int_equal(world.rc, MT_ERR_UNSUPPORTED);
    assert_string_equal(world.fault.code, "history.not_opened");
    world_deinit(&world);
    world_init(&world, dead_cloud);
    world_open(&world, "alice", "t", NULL, NULL);
    expect_checks(&world, "configuration=ok service discovery=off connection=ok token=failed "
                          "conversations=skipped history=skipped clock=skipped ");
    assert_string_equal(world.fault.code, "auth.token_rejected");
    mt_provider_easemob.close(world.account);
    world_open(&world, "alice", NULL, "p", NULL);
    expect_checks(&world, "configuration=ok service discovery=off connection=ok token=failed "
                          "conversations=skipped history=skipped clock=skipped ");
    assert_string_equal(world.fault.code, "auth.refused");
    mt_provider_easemob.close(world.account);
    world_open(&world, "alice", NULL, "p", "");
    expect_checks(&world,
                  "configuration=ok service discovery=failed connection=skipped token=skipped "
                  "conversations=skipped history=skipped clock=skipped ");
    assert_string_equal(world.fault.code, "discovery.failed");
    world_deinit(&world);
}

int test_verbs(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_form_is_asked),
        cmocka_unit_test(a_full_list_is_doubted),
        cmocka_unit_test(the_paged_form_reads_to_the_end),
        cmocka_unit_test(a_page_for_ever_is_named),
        cmocka_unit_test(the_old_stop_is_never_passed_off_as_all),
        cmocka_unit_test(no_form_at_all),
        cmocka_unit_test(pinned_ones_have_no_other_form),
        cmocka_unit_test(the_doctor_names_every_step),
    };

    return cmocka_run_group_tests_name("verbs", tests, NULL, NULL);
}
