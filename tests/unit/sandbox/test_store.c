/* The memory of the cloud without a network: what each user sees, counts, pages, queues. */
#include "tests.h"

#include "base/mem.h"
#include "sandbox/store_int.h"
#include "sandbox/wire_int.h"

#include <stdio.h>
#include <string.h>

#define T0 INT64_C(1790000000000)

static struct mt_sb_store STORE;
static struct mt_sb_user *ALICE;
static struct mt_sb_user *BOB;
static struct mt_sb_user *CAROL;

static int open_store(void **state)
{
    (void)state;
    if (mt_sb_store_init(&STORE, "sandbox#demo") != MT_OK)
        return -1;
    ALICE = mt_sb_user_make(&STORE, "alice");
    BOB = mt_sb_user_make(&STORE, "Bob"); /* folded */
    CAROL = mt_sb_user_make(&STORE, "carol");
    return ALICE != NULL && BOB != NULL && CAROL != NULL ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    mt_sb_store_deinit(&STORE);
    return 0;
}

static uint64_t say(struct mt_sb_thread *thread, struct mt_sb_user *from, int64_t ts_ms,
                    enum mt_sb_kind kind)
{
    uint8_t room[128];
    struct mt_sb_wire body = {.p = room, .cap = sizeof room};
    mt_sb_wire_varint(&body, 1, 1);
    struct mt_sb_draft draft = {
        .thread = thread,
        .from = from,
        .resource = "r",
        .ts_ms = ts_ms,
        .kind = kind,
        .payload = body.p,
        .payload_len = body.len,
    };
    struct mt_sb_message *message = NULL;
    assert_int_equal(mt_sb_message_append(&STORE, &draft, &message), MT_OK);
    return message->id;
}

static struct mt_sb_thread *alice_and_bob(void)
{
    struct mt_sb_thread *thread = mt_sb_thread_single(&STORE, ALICE, BOB, true);
    assert_non_null(thread);
    return thread;
}

static struct mt_sb_view *view_of(struct mt_sb_user *user, struct mt_sb_thread *thread)
{
    struct mt_sb_view *view = mt_sb_view_of(&STORE, user, thread);
    assert_non_null(view);
    return view;
}

static void test_names(void **state)
{
    (void)state;
    struct mt_sb_thread *thread = alice_and_bob();
    assert_string_equal(BOB->name, "bob");
    assert_ptr_equal(mt_sb_user_get(&STORE, "BOB"), BOB);
    assert_ptr_equal(mt_sb_thread_single(&STORE, BOB, ALICE, false), thread);
    assert_string_equal(view_of(ALICE, thread)->id, "bob");
    assert_string_equal(view_of(BOB, thread)->id, "alice");
    assert_null(mt_sb_view_find(&STORE, ALICE, "BOB", false)); /* capitals see nothing */
    assert_ptr_equal(mt_sb_view_find(&STORE, ALICE, "bob", false), view_of(ALICE, thread));
    char name[MT_SB_ID_MAX + 8];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_null(mt_sb_user_make(&STORE, name));
    assert_null(mt_sb_user_make(&STORE, ""));
    struct mt_sb_thread *self = mt_sb_thread_single(&STORE, ALICE, ALICE, true);
    assert_int_equal(self->view_n, 1);
    assert_string_equal(self->views[0]->id, "alice");
}

static void test_ids_ascend(void **state)
{
    (void)state;
    struct mt_sb_thread *thread = alice_and_bob();
    uint64_t last = say(thread, ALICE, T0, MT_SB_TEXT);
    assert_true(last > UINT64_C(1000000000000000000)); /* beyond 2^53, like the real ones */
    for (int i = 0; i < 2000; i++) {
        uint64_t id = say(thread, ALICE, T0 - i, MT_SB_TEXT); /* a clock that runs backwards */
        assert_true(id > last);
        assert_true(thread->messages[thread->n - 1].ts_ms >= T0);
        last = id;
    }
}

static void test_unread(void **state)
{
    (void)state;
    struct mt_sb_thread *thread = alice_and_bob();
    struct mt_sb_view *alice = view_of(ALICE, thread);
    struct mt_sb_view *bob = view_of(BOB, thread);
    uint64_t first = say(thread, BOB, T0, MT_SB_TEXT);
    say(thread, BOB, T0 + 1, MT_SB_IMAGE);
    say(thread, BOB, T0 + 2, MT_SB_COMMAND); /* does not count */
    say(thread, ALICE, T0 + 3, MT_SB_TEXT);  /* own ones do not count, and read nothing */
    assert_int_equal(mt_sb_view_unread(alice), 2);
    assert_int_equal(mt_sb_view_unread(bob), 1);
    mt_sb_message_remove(&STORE, thread, first); /* recalled before it was read */
    assert_int_equal(mt_sb_view_unread(alice), 1);
    assert_int_equal(mt_sb_view_unread(bob), 1);
    mt_sb_view_read(alice);
    assert_int_equal(mt_sb_view_unread(alice), 0);
    assert_int_equal(mt_sb_view_unread(bob), 1); /* counted per account */
    uint64_t later = say(thread, BOB, T0 + 4, MT_SB_TEXT);
    assert_int_equal(mt_sb_view_unread(alice), 1);
    mt_sb_view_read(alice);
    mt_sb_message_remove(&STORE, thread, later); /* recalled after it was read */
    assert_int_equal(mt_sb_view_unread(alice), 0);
    say(thread, BOB, T0 + 5, MT_SB_TEXT);
    assert_int_equal(mt_sb_view_unread(alice), 1);
}

static void test_one_way_deletion(void **state)
{
    (void)state;
    struct mt_sb_thread *thread = alice_and_bob();
    struct mt_sb_view *alice = view_of(ALICE, thread);
    struct mt_sb_view *bob = view_of(BOB, thread);
    uint64_t id[6];
    for (int i = 0; i < 6; i++)
        id[i] = say(thread, BOB, T0 + i, MT_SB_TEXT);
    assert_int_equal(mt_sb_view_forget(alice, id[4]), MT_OK);
    assert_int_equal(mt_sb_view_forget(alice, id[2]), MT_OK);
    assert_int_equal(mt_sb_view_forget(alice, id[2]), MT_OK); /* twice is once */
    assert_int_equal(mt_sb_view_forget(alice, 12345), MT_OK); /* unknown is not reported */
    assert_int_equal(alice->gone_n, 2);
    mt_sb_view_forget_until(alice, id[2]);
    assert_int_equal(alice->gone_n, 1);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(mt_sb_view_sees(alice, id[i]), i == 3 || i == 5);
        assert_true(mt_sb_view_sees(bob, id[i]));
    }
    struct mt_sb_page page;
    struct mt_sb_page_query query = {.limit = 50};
    mt_sb_page_read(alice, &query, &page);
    assert_int_equal(page.n, 2);
    assert_true(page.items[0]->id == id[5] && page.items[1]->id == id[3]);
    assert_true(page.last);
    mt_sb_page_read(bob, &query, &page);
    assert_int_equal(page.n, 6);
    assert_true(mt_sb_view_last(alice)->id == id[5]);
}

/* All pages, in both directions and every size: each message once, in order, and the last page says
 * so. */
static void test_paging(void **state)
{
    (void)state;
    struct mt_sb_thread *thread = alice_and_bob();
    const struct mt_sb_view *alice = view_of(ALICE, thread);
    enum { N = 107 };
    uint64_t id[N];
    for (int i = 0; i < N; i++)
        id[i] = say(thread, i % 3 == 0 ? ALICE : BOB, T0 + i / 4, MT_SB_TEXT);
    for (size_t size = 1; size <= 50; size++) {
        for (int oldest = 0; oldest < 2; oldest++) {
            struct mt_sb_page page;
            struct mt_sb_page_query query = {.limit = size, .oldest_first = oldest == 1};
            size_t seen = 0;
            do {
                mt_sb_page_read(alice, &query, &page);
                for (size_t i = 0; i < page.n; i++, seen++)
                    assert_true(page.items[i]->id == (oldest == 1 ? id[seen] : id[N - 1 - seen]));
                assert_true(page.n == size || page.last);
                query.start = page.items[page.n - 1]->id;
            } while (!page.last);
            assert_int_equal(seen, N);
        }
    }
}

static void test_page_filters(void **state)
{
    (void)state;
    struct mt_sb_thread *thread = alice_and_bob();
    const struct mt_sb_view *alice = view_of(ALICE, thread);
    for (int i = 0; i < 30; i++)
        say(thread, i % 2 == 0 ? ALICE : BOB, T0 + i, i % 5 == 0 ? MT_SB_IMAGE : MT_SB_TEXT);
    struct mt_sb_page page;
    struct mt_sb_page_query query = {.limit = 50, .since_ms = T0 + 10, .until_ms = T0 + 19};
    mt_sb_page_read(alice, &query, &page);
    assert_int_equal(page.n, 10); /* both ends belong to it */
    assert_int_equal(page.items[0]->ts_ms, T0 + 19);
    query = (struct mt_sb_page_query){.limit = 4, .kinds = 1U << MT_SB_IMAGE};
    mt_sb_page_read(alice, &query, &page);
    assert_int_equal(page.n, 4);
    assert_false(page.last);
    query.start = page.items[3]->id;
    mt_sb_page_read(alice, &query, &page);
    assert_int_equal(page.n, 2);
    assert_true(page.last);
    query = (struct mt_sb_page_query){
        .limit = 50, .by_sender = true, .sender = BOB->index, .oldest_first = true};
    mt_sb_page_read(alice, &query, &page);
    assert_int_equal(page.n, 15);
    assert_int_equal(page.items[0]->ts_ms, T0 + 1);
}

static void test_list_and_cap(void **state)
{
    (void)state;
    struct mt_sb_listed *list = NULL;
    size_t n = 0;
    char name[32];
    struct mt_sb_view *first = NULL;
    for (int i = 0; i < 30; i++) {
        (void)snprintf(name, sizeof name, "peer%d", i);
        struct mt_sb_thread *thread =
            mt_sb_thread_single(&STORE, ALICE, mt_sb_user_make(&STORE, name), true);
        say(thread, ALICE, T0 + i, MT_SB_TEXT);
        if (i == 0)
            first = view_of(ALICE, thread);
    }
    struct mt_sb_thread *room = mt_sb_thread_group_make(&STORE, "room1", MT_SB_ROOM, ALICE);
    say(room, ALICE, T0 + 50, MT_SB_TEXT);
    first->marks = 2;
    assert_int_equal(mt_sb_user_list(ALICE, 500, false, &list, &n), MT_OK);
    assert_int_equal(n, 30); /* rooms are not in it */
    assert_string_equal(list[0].view->id, "peer29");
    assert_string_equal(list[29].view->id, "peer0");
    mt_mem_free(list);
    assert_int_equal(mt_sb_user_list(ALICE, 10, false, &list, &n), MT_OK);
    assert_int_equal(n, 10);
    mt_mem_free(list);
    assert_int_equal(first->marks, 0); /* evicted, and its marks with it */
    assert_int_equal(mt_sb_user_list(ALICE, 500, false, &list, &n), MT_OK);
    assert_int_equal(n, 10); /* it does not come back by itself */
    mt_mem_free(list);
    say(first->thread, ALICE, T0 + 60, MT_SB_TEXT);
    assert_int_equal(mt_sb_user_list(ALICE, 500, false, &list, &n), MT_OK);
    assert_int_equal(n, 11);
    assert_ptr_equal(list[0].view, first);
    mt_mem_free(list);
    /* emptied: hidden, but there when asked for */
    mt_sb_view_forget_until(first, first->thread->messages[first->thread->n - 1].id);
    assert_int_equal(mt_sb_user_list(ALICE, 500, false, &list, &n), MT_OK);
    assert_int_equal(n, 10);
    mt_mem_free(list);
    assert_int_equal(mt_sb_user_list(ALICE, 500, true, &list, &n), MT_OK);
    assert_int_equal(n, 11);
    assert_null(list[10].last);
    mt_mem_free(list);
}

static uint64_t publish(struct mt_sb_thread *thread, struct mt_sb_user *from,
                        const struct mt_sb_device *device)
{
    uint64_t id = say(thread, from, T0, MT_SB_TEXT);
    struct mt_sb_entry entry = {.id = id, .is_message = true};
    assert_int_equal(mt_sb_feed_push(&STORE, thread, device, &entry), MT_OK);
    return id;
}

static struct mt_sb_device *login(struct mt_sb_user *user, const char *resource)
{
    struct mt_sb_device *device =
        mt_sb_device_online(&STORE, user, resource, (struct mt_sb_session *)&STORE);
    assert_non_null(device);
    return device;
}

static void count_notice(void *ud, struct mt_sb_device *device, struct mt_sb_view *view)
{
    (void)device;
    (void)view;
    (*(int *)ud)++;
}

static void test_queue(void **state)
{
    (void)state;
    const struct mt_sb_entry *out[50];
    int notices = 0;
    struct mt_sb_thread *thread = alice_and_bob();
    struct mt_sb_view *alice = view_of(ALICE, thread);
    struct mt_sb_view *bob = view_of(BOB, thread);
    struct mt_sb_device *phone = login(BOB, "phone");
    struct mt_sb_device *web = login(BOB, "web");
    struct mt_sb_device *desk = login(ALICE, "desk");
    uint64_t one = publish(thread, ALICE, desk);
    mt_sb_feed_notify(&STORE, thread, count_notice, &notices);
    uint64_t two = publish(thread, ALICE, desk);
    mt_sb_feed_notify(&STORE, thread, count_notice, &notices);
    assert_int_equal(notices,
                     2); /* each of bob's devices once: the second is covered by the first */
    assert_int_equal(mt_sb_feed_backlog(alice, desk), 0); /* the author's own device gets nothing */
    assert_int_equal(mt_sb_feed_backlog(bob, phone), 2);
    assert_int_equal(mt_sb_feed_pull(bob, phone, out, 50), 2);
    assert_true(out[0]->id == one && out[1]->id == two);
    assert_int_equal(mt_sb_feed_pull(bob, phone, out, 50), 2); /* again, until it is acknowledged */
    mt_sb_feed_ack(bob, phone, two);
    assert_int_equal(mt_sb_feed_pull(bob, phone, out, 50), 0);
    assert_int_equal(mt_sb_feed_backlog(bob, web), 2); /* each device has its own place */
    uint64_t three = publish(thread, BOB, phone);
    mt_sb_feed_notify(&STORE, thread, count_notice, &notices);
    assert_int_equal(notices, 3); /* alice's desk; bob's web has not drained yet */
    assert_int_equal(mt_sb_feed_pull(bob, web, out, 50), 3);
    assert_int_equal(mt_sb_feed_pull(bob, phone, out, 50), 0);
    mt_sb_message_remove(&STORE, thread, two);
    assert_int_equal(mt_sb_feed_pull(bob, web, out, 50), 2); /* recalled: not handed out any more */
    mt_sb_feed_ack(bob, web, UINT64_MAX);                    /* nobody acknowledges the future */
    publish(thread, ALICE, desk);
    assert_int_equal(mt_sb_feed_pull(bob, web, out, 50), 1);
    (void)three;
}

static void test_offline_caps(void **state)
{
    (void)state;
    const struct mt_sb_entry *out[50];
    struct mt_sb_thread *single = alice_and_bob();
    struct mt_sb_thread *group = mt_sb_thread_group_make(&STORE, "1", MT_SB_GROUP, ALICE);
    struct mt_sb_view *bob = view_of(BOB, single);
    struct mt_sb_view *in_group = mt_sb_view_make(&STORE, BOB, group);
    uint64_t singles[600];
    for (int i = 0; i < 600; i++)
        singles[i] = publish(single, ALICE, NULL);
    for (int i = 0; i < 300; i++)
        publish(group, ALICE, NULL);
    struct mt_sb_device *phone = login(BOB, "phone");
    assert_int_equal(mt_sb_feed_backlog(bob, phone), 600);
    assert_int_equal(mt_sb_feed_cap(BOB, phone, 500, 200), MT_OK);
    assert_int_equal(mt_sb_feed_backlog(bob, phone), 500);
    assert_int_equal(mt_sb_feed_backlog(in_group, phone), 200);
    assert_int_equal(mt_sb_feed_pull(bob, phone, out, 50), 50);
    assert_true(out[0]->id == singles[100]); /* the oldest are what is lost */
    mt_sb_feed_ack(bob, phone, singles[599]);
    mt_sb_device_offline(&STORE, phone);
    struct mt_sb_device *fresh =
        login(BOB, "fresh"); /* begins where the user's devices have come to */
    assert_int_equal(mt_sb_feed_backlog(bob, fresh), 0);
    publish(single, ALICE, NULL);
    assert_int_equal(mt_sb_feed_backlog(bob, fresh), 1);
    assert_int_equal(mt_sb_feed_backlog(bob, login(BOB, "phone")), 1);
}

static void test_audience(void **state)
{
    (void)state;
    struct mt_sb_thread *group = mt_sb_thread_group_make(&STORE, "9", MT_SB_GROUP, ALICE);
    struct mt_sb_view *bob = mt_sb_view_make(&STORE, BOB, group);
    struct mt_sb_view *carol = mt_sb_view_make(&STORE, CAROL, group);
    struct mt_sb_device *bobs = login(BOB, "b");
    struct mt_sb_device *carols = login(CAROL, "c");
    struct mt_sb_entry entry = {
        .only_user = CAROL->index + 1, .meta = mt_mem_alloc(1), .meta_len = 1};
    entry.id = mt_sb_store_next_id(&STORE, T0);
    assert_int_equal(mt_sb_feed_push(&STORE, group, NULL, &entry), MT_OK);
    assert_int_equal(mt_sb_feed_backlog(bob, bobs), 0);
    assert_int_equal(mt_sb_feed_backlog(carol, carols), 1);
    entry = (struct mt_sb_entry){.directed = mt_mem_alloc(sizeof(uint32_t)), .directed_n = 1};
    entry.directed[0] = BOB->index;
    entry.meta = mt_mem_alloc(1);
    entry.id = mt_sb_store_next_id(&STORE, T0);
    assert_int_equal(mt_sb_feed_push(&STORE, group, NULL, &entry), MT_OK);
    assert_int_equal(mt_sb_feed_backlog(bob, bobs), 1);
    assert_int_equal(mt_sb_feed_backlog(carol, carols), 1);
    mt_sb_device_offline(&STORE, carols);
    entry = (struct mt_sb_entry){.online_only = true, .meta = mt_mem_alloc(1)};
    entry.id = mt_sb_store_next_id(&STORE, T0);
    assert_int_equal(mt_sb_feed_push(&STORE, group, NULL, &entry), MT_OK);
    assert_int_equal(mt_sb_feed_backlog(bob, bobs), 2);
    assert_int_equal(mt_sb_feed_backlog(carol, login(CAROL, "c")), 1); /* was away: never gets it */
}

static void test_feed_is_bounded(void **state)
{
    (void)state;
    struct mt_sb_thread *thread = alice_and_bob();
    for (int i = 0; i < MT_SB_FEED_MAX + 100; i++)
        publish(thread, ALICE, NULL);
    assert_true(thread->feed_n <= MT_SB_FEED_MAX);
    assert_int_equal(thread->n, MT_SB_FEED_MAX + 100);
}

static void test_devices_are_bounded(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "web_%d", i);
        mt_sb_device_offline(&STORE, login(ALICE, name));
    }
    assert_true(ALICE->device_n <= MT_SB_DEVICES_MAX);
    assert_non_null(mt_sb_device_find(ALICE, "web_99"));
    assert_int_equal(STORE.online_n, 0);
}

/* Every allocation fails once: nothing leaks, nothing crashes. */
static void test_short_of_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 60; n++) {
        struct mt_sb_store store;
        int64_t live = mt_mem_seam_live();
        mt_mem_seam_fail_at(n, 0);
        if (mt_sb_store_init(&store, "sandbox#demo") == MT_OK) {
            struct mt_sb_user *a = mt_sb_user_make(&store, "a");
            struct mt_sb_user *b = mt_sb_user_make(&store, "b");
            struct mt_sb_thread *thread =
                a == NULL || b == NULL ? NULL : mt_sb_thread_single(&store, a, b, true);
            struct mt_sb_thread *group =
                a == NULL ? NULL : mt_sb_thread_group_make(&store, "1", MT_SB_GROUP, a);
            struct mt_sb_draft draft = {.thread = thread, .from = a, .ts_ms = T0, .payload = ""};
            struct mt_sb_message *message = NULL;
            if (thread != NULL && mt_sb_message_append(&store, &draft, &message) == MT_OK &&
                mt_sb_view_forget(thread->views[0], message->id) != MT_OK)
                assert_int_equal(thread->views[0]->gone_n, 0);
            if (group != NULL && b != NULL)
                (void)mt_sb_view_make(&store, b, group);
            if (a != NULL)
                (void)mt_sb_device_online(&store, a, "r", NULL);
            mt_sb_store_deinit(&store);
        }
        mt_mem_seam_fail_at(0, 0);
        assert_int_equal(mt_mem_seam_live(), live);
    }
}

int test_store(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_ids_ascend, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_unread, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_one_way_deletion, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_paging, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_page_filters, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_list_and_cap, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_queue, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_offline_caps, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_audience, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_feed_is_bounded, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_devices_are_bounded, open_store, close_store),
        cmocka_unit_test(test_short_of_memory),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
