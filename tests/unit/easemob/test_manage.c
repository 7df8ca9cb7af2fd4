/* Deleting, pins, marks and readers against scripted answers: what is asked, and that nothing that
 * deletes is asked for twice by itself. */
#include "world.h"

#include "provider/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

int test_manage(void);

struct cloud {
    int status;
    const char *body;
    enum mt_ws_fault fault;
    unsigned faults_n; /* so many requests end in it, then it is well */
};

static void answer(struct world *world, const struct mt_ws_request *request,
                   struct mt_ws_answer *out)
{
    struct cloud *cloud = world->ud;

    (void)request;
    if (cloud->faults_n > 0) {
        cloud->faults_n--;
        out->fault = cloud->fault;
        return;
    }
    world_reply(out, cloud->status, cloud->body);
}

static void begin(struct world *world, struct cloud *cloud)
{
    *cloud = (struct cloud){.status = 200, .body = "{\"data\":{\"result\":\"ok\"}}"};
    world_init(world, answer);
    world->ud = cloud;
    world_open(world, "alice", "t", NULL, NULL);
}

static struct mt_conversation_ref ref_of(enum mt_conversation_kind kind, const char *target)
{
    struct mt_conversation_ref ref = {.kind = kind};

    snprintf(ref.target, sizeof ref.target, "%s", target);
    return ref;
}

static const struct mt_provider_live *verbs(void)
{
    return mt_provider_easemob.live;
}

static void what_is_asked(void **state)
{
    struct mt_conversation_ref bob = ref_of(MT_CONVERSATION_SINGLE, "Bob");
    struct mt_conversation_ref group = ref_of(MT_CONVERSATION_GROUP, "93734273351681");
    struct mt_conversation_ref room = ref_of(MT_CONVERSATION_ROOM, "7");
    const struct mt_message_key ids[] = {{.id = "1200000000000000001"},
                                         {.id = "18446744073709551615"}};
    struct cloud cloud;
    struct world world;
    static const char *const lines[] = {
        "DELETE /org/app/sdk/message/roaming/chat/user/"
        "alice?userId=bob&msgIdList=1200000000000000001,18446744073709551615&resource=moontide",
        "DELETE /org/app/sdk/message/roaming/group/user/alice/"
        "time?groupId=93734273351681&delTime=1699999999999&resource=moontide",
        "DELETE /org/app/user/alice/user_channel?resource=moontide",
        "POST /org/app/sdk/message/roaming/user/alice/delete/all?resource=moontide",
        "DELETE /org/app/sdk/message/roaming/group/user/alice?groupId=7&msgIdList="
        "1200000000000000001&resource=moontide",
    };

    (void)state;
    begin(&world, &cloud);
    world.waiting = 5;
    (void)!verbs()->delete_ids(world.account, &bob, ids, 2, world_done, &world, NULL);
    (void)!verbs()->delete_before(world.account, &group, 1700000000000, world_done, &world, NULL);
    (void)!verbs()->delete_conversation(world.account, &group, true, world_done, &world, NULL);
    (void)!verbs()->delete_all(world.account, world_done, &world, NULL);
    (void)!verbs()->delete_ids(world.account, &room, ids, 1, world_done, &world, NULL);
    world_run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world.seen_n, 5);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (world_count(&world, lines[i]) != 1)
            fail_msg("not asked: %s", lines[i]);
    }
    for (size_t i = 0; i < world.seen_n; i++) {
        if (strstr(world.seen[i].line, "user_channel?"))
            assert_string_equal(
                world.seen[i].body,
                "{\"channel\":\"93734273351681\",\"type\":\"groupChat\",\"delete_roam\":true}");
        assert_string_equal(world.seen[i].authorization, "Bearer t");
    }
    world_deinit(&world);
}

/* What could take more the second time is never asked for again by itself. */
static void a_lost_answer(void **state)
{
    struct mt_conversation_ref bob = ref_of(MT_CONVERSATION_SINGLE, "bob");
    const struct mt_message_key id = {.id = "7"};
    struct cloud cloud;
    struct world world;

    (void)state;
    begin(&world, &cloud);
    cloud.fault = MT_WS_FAULT_CLOSE;
    cloud.faults_n = 1;
    world.waiting = 1;
    (void)!verbs()->delete_conversation(world.account, &bob, true, world_done, &world, NULL);
    world_run(&world);
    assert_string_equal(world.fault.code, "delete.unknown");
    assert_int_equal(world.seen_n, 1);
    cloud.faults_n = 1;
    world.waiting = 1;
    (void)!verbs()->delete_all(world.account, world_done, &world, NULL);
    world_run(&world);
    assert_string_equal(world.fault.code, "delete.unknown");
    assert_int_equal(world.seen_n, 2);
    /* by ids it is the same deletion again */
    cloud.faults_n = 1;
    world.waiting = 1;
    (void)!verbs()->delete_ids(world.account, &bob, &id, 1, world_done, &world, NULL);
    world_run(&world);
    assert_int_equal(world.rc, MT_OK);
    assert_int_equal(world.seen_n, 4);
    world_deinit(&world);
}

static void what_is_refused(void **state)
{
    struct mt_conversation_ref bob = ref_of(MT_CONVERSATION_SINGLE, "bob");
    struct mt_conversation_ref room = ref_of(MT_CONVERSATION_ROOM, "7");
    struct mt_message_key ids[64] = {{.id = "1"}, {.id = "0"}};
    struct cloud cloud;
    struct world world;
    static const char *const codes[] = {"delete.ids", "delete.ids",  "delete.ids", "delete.before",
                                        "mark.range", "unsupported", "unsupported"};

    (void)state;
    begin(&world, &cloud);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const struct mt_provider_live *live = verbs();
        world.waiting = 1;
        switch (i) {
        case 0:
            (void)!live->delete_ids(world.account, &bob, ids, 0, world_done, &world, NULL);
            break;
        case 1:
            (void)!live->delete_ids(world.account, &bob, ids, live->delete_max + 1, world_done,
                                    &world, NULL);
            break;
        case 2: /* the second is 0 */
            (void)!live->delete_ids(world.account, &bob, ids, 2, world_done, &world, NULL);
            break;
        case 3:
            (void)!live->delete_before(world.account, &bob, 0, world_done, &world, NULL);
            break;
        case 4:
            (void)!live->mark(world.account, &bob, 20, true, world_done, &world, NULL);
            break;
        case 5:
            (void)!live->pin(world.account, &room, true, world_done, &world, NULL);
            break;
        default:
            (void)!live->mark(world.account, &room, 1, true, world_done, &world, NULL);
            break;
        }
        world_run(&world);
        assert_string_equal(world.fault.code, codes[i]);
    }
    assert_int_equal(world.seen_n, 0); /* the cloud was asked for nothing */
    cloud.status = 404;
    cloud.body = "{\"error\":\"x\",\"error_code\":91001}";
    world.waiting = 1;
    (void)!verbs()->pin(world.account, &bob, true, world_done, &world, NULL);
    world_run(&world);
    assert_string_equal(world.fault.code, "conversation.unknown");
    assert_int_equal(world.fault.provider_code, 1400);
    world_deinit(&world);
}

/* ---------------------------------------------------------------- readers */

struct readers {
    struct world *world;
    char users[256];
    char cursor[64];
    int64_t total;
};

static void on_readers(void *ud, enum mt_rc rc, const struct mt_readers_page *page,
                       const struct mt_fault *fault)
{
    struct readers *readers = ud;

    readers->users[0] = readers->cursor[0] = '\0';
    for (size_t i = 0; page && i < page->n; i++) {
        size_t at = strlen(readers->users);
        snprintf(readers->users + at, sizeof readers->users - at, "%s ", page->items[i].user);
    }
    if (page) {
        readers->total = page->total;
        snprintf(readers->cursor, sizeof readers->cursor, "%s", page->cursor ? page->cursor : "");
    }
    world_done(readers->world, rc, fault);
}

static void ask_readers(struct readers *readers, enum mt_conversation_kind kind, const char *cursor)
{
    struct mt_conversation_ref group = ref_of(kind, "5");

    readers->world->waiting = 1;
    (void)!verbs()->readers(readers->world->account, &group, &(struct mt_message_key){.id = "9"},
                            cursor, 2, on_readers, readers, NULL);
    world_run(readers->world);
}

static void who_has_read(void **state)
{
    struct cloud cloud;
    struct world world;
    struct readers readers = {.world = &world};

    (void)state;
    begin(&world, &cloud);
    cloud.body = "{\"data\":{\"is_last\":false,\"next_key\":\"k&1\",\"total\":3,\"userlist\":"
                 "[\"bob\",\"carol\"]}}";
    ask_readers(&readers, MT_CONVERSATION_GROUP, NULL);
    assert_string_equal(readers.users, "bob carol ");
    assert_string_equal(readers.cursor, "k&1");
    assert_int_equal(readers.total, 3);
    assert_int_equal(world_count(&world, "GET /org/app/chatgroups/5/acks/9?limit=2&key="), 1);
    cloud.body = "{\"data\":{\"is_last\":true,\"next_key\":\"\",\"userlist\":[\"dave\"]}}";
    ask_readers(&readers, MT_CONVERSATION_GROUP, readers.cursor);
    assert_string_equal(readers.users, "dave ");
    assert_string_equal(readers.cursor, "");
    assert_int_equal(readers.total, -1);
    assert_int_equal(world_count(&world, "key=k%261"), 1);
    ask_readers(&readers, MT_CONVERSATION_SINGLE, NULL);
    assert_string_equal(world.fault.code, "unsupported");
    world_deinit(&world);
}

static void readers_that_are_none(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "[]",
        "nothing",
        "{\"data\":{\"is_last\":true}}",
        "{\"data\":{\"is_last\":true,\"userlist\":[7]}}",
        "{\"data\":{\"is_last\":false,\"next_key\":\"\",\"userlist\":[\"bob\"]}}",
        "{\"data\":{\"userlist\":[\"bob\"]}}"};
    struct cloud cloud;
    struct world world;
    struct readers readers = {.world = &world};

    (void)state;
    begin(&world, &cloud);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        cloud.body = bodies[i];
        ask_readers(&readers, MT_CONVERSATION_GROUP, NULL);
        assert_int_not_equal(world.rc, MT_OK);
    }
    cloud.status = 403;
    cloud.body = "{\"error\":\"forbidden_op\",\"error_description\":\"group ack not open\"}";
    ask_readers(&readers, MT_CONVERSATION_GROUP, NULL);
    assert_string_equal(world.fault.code, "receipts.not_opened");
    assert_int_equal(world.fault.provider_code, 505);
    world_deinit(&world);
}

int test_manage(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked),         cmocka_unit_test(a_lost_answer),
        cmocka_unit_test(what_is_refused),       cmocka_unit_test(who_has_read),
        cmocka_unit_test(readers_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
