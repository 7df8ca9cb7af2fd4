/* What is unread, by the cases of rongcloud.md 5.1: a line of a table is one thing that comes, and
 * what the conversation says after it. */
#include "provider/rongcloud/model_int.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "provider/rongcloud/keys_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int test_model(void);

enum comes { MESSAGE, READ_HERE, SERVER, REMOVED, UNCOUNT };

struct line {
    const char *why;
    enum comes comes;
    const char *name;    /* object name; NULL: RC:TxtMsg */
    const char *content; /* NULL: {} */
    int64_t time_ms;
    bool mine, hasty; /* hasty: a message of the moment */
    int64_t options;
    int type; /* 0: private with "bob" */
    /* SERVER */
    int64_t cut_off_ms, count, count_mentions;
    /* then */
    int64_t unread, mentions, mentions_me, newest_ms;
};

#define MENTION_ALL "{\"content\":\"x\",\"mentionedInfo\":{\"type\":1}}"
#define MENTION_ME                                                                                 \
    "{\"content\":\"x\",\"mentionedInfo\":{\"type\":2,\"userIdList\":[\"bo\",\"me\"]}}"
#define MENTION_THEM "{\"content\":\"x\",\"mentionedInfo\":{\"type\":2,\"userIdList\":[\"bo\"]}}"
#define RECALL(time, from)                                                                         \
    "{\"messageUId\":\"M\",\"sentTime\":" time                                                     \
    ",\"conversationType\":1,\"targetId\":\"bob\"," from "\"isAdmin\":false}"

static char *unconst(const char *s)
{
    return (char *)(uintptr_t)s;
}

static struct mt_message decoded(const struct line *line, struct mt_arena *arena,
                                 struct mt_arena *scratch)
{
    struct mt_rong_decoder decoder = {.user = "me", .scratch = scratch};
    Rongcloud__DownStreamMessage m = RONGCLOUD__DOWN_STREAM_MESSAGE__INIT;
    const char *content = line->content ? line->content : "{\"content\":\"x\"}";
    int type = line->type ? line->type : 1;
    struct mt_message out;
    uint8_t *raw = NULL;
    size_t len = 0;
    char id[32];

    snprintf(id, sizeof id, "ID-%lld", (long long)line->time_ms);
    m.fromuserid = unconst(type == 1 || !line->mine ? "bob" : "me");
    m.type = (Rongcloud__ChannelType)type;
    m.groupid = unconst(type == 1 ? "" : "g");
    m.classname = unconst(line->name ? line->name : "RC:TxtMsg");
    m.content.data = (uint8_t *)unconst(content);
    m.content.len = strlen(content);
    m.datatime = line->time_ms;
    m.msgid = id;
    m.has_direction = true;
    m.direction = line->mine ? 1 : 2;
    m.has_extstatus = line->hasty;
    m.extstatus = 64;
    m.has_optionbits = line->options != 0;
    m.optionbits = line->options;
    len = rongcloud__down_stream_message__get_packed_size(&m);
    raw = mt_arena_alloc(arena, len);
    assert_non_null(raw);
    (void)rongcloud__down_stream_message__pack(&m, raw);
    assert_int_equal(mt_rong_decode(&decoder, raw, len, arena, &out), MT_OK);
    return out;
}

static struct mt_conversation_ref ref_of(const struct line *line)
{
    struct mt_conversation_ref ref;

    assert_true(mt_rong_ref_set(&ref, line->type ? line->type : 1,
                                mt_rong_type_is_group(line->type) ? "g" : "bob", NULL));
    return ref;
}

static void come(struct mt_rong_model *model, const struct line *line)
{
    struct mt_arena *arena = mt_arena_new(1 << 20);
    struct mt_arena *scratch = mt_arena_new(1 << 20);
    struct mt_conversation_ref ref = ref_of(line);

    if (line->comes == MESSAGE) {
        struct mt_message m = decoded(line, arena, scratch);

        assert_int_equal(mt_rong_model_arrive(model, &m), MT_OK);
    } else if (line->comes == READ_HERE) {
        assert_int_equal(mt_rong_model_read(model, &ref, line->time_ms), MT_OK);
    } else if (line->comes == SERVER) {
        struct mt_rong_unread unread = {.ref = ref,
                                        .count = line->count,
                                        .mentions = line->count_mentions,
                                        .cut_off_ms = line->cut_off_ms};

        assert_int_equal(mt_rong_model_unread(model, &unread), MT_OK);
    } else if (line->comes == UNCOUNT) {
        mt_rong_model_uncount(model);
    } else {
        assert_int_equal(mt_rong_model_removed(model, &ref, 0), MT_OK);
    }
    mt_arena_free(arena);
    mt_arena_free(scratch);
}

static void try_lines(struct mt_rong_model *model, const struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct mt_conversation_ref ref = ref_of(&lines[i]);
        const struct mt_rong_entry *entry = NULL;
        struct mt_rong_entry none = {.ref = ref};

        come(model, &lines[i]);
        entry = mt_rong_model_find(model, &ref);
        if (entry == NULL)
            entry = &none;
        if (entry->unread != lines[i].unread || entry->mentions != lines[i].mentions ||
            entry->mentions_me != lines[i].mentions_me || entry->newest_ms != lines[i].newest_ms)
            fail_msg("line %zu, %s: unread %lld, mentions %lld, me %lld, newest %lld", i,
                     lines[i].why, (long long)entry->unread, (long long)entry->mentions,
                     (long long)entry->mentions_me, (long long)entry->newest_ms);
    }
}

static struct mt_rong_model *model_new(void)
{
    struct mt_rong_model *model = mt_rong_model_new("me");

    assert_non_null(model);
    return model;
}

#define LINES(lines) lines, sizeof(lines) / sizeof *(lines)

static void counts_as_the_sdk(void **state)
{
    static const struct line lines[] = {
        {.why = "a text", .time_ms = 100, .unread = 1, .newest_ms = 100},
        {.why = "the same again", .time_ms = 100, .unread = 1, .newest_ms = 100},
        {.why = "an older one", .time_ms = 90, .unread = 1, .newest_ms = 100},
        {.why = "a picture", .name = "RC:ImgMsg", .time_ms = 110, .unread = 2, .newest_ms = 110},
        {.why = "kept, not counted",
         .name = "RC:InfoNtf",
         .time_ms = 120,
         .unread = 2,
         .newest_ms = 110},
        {.why = "it is a later version all the same",
         .time_ms = 115,
         .unread = 2,
         .newest_ms = 110},
        {.why = "a command", .name = "RC:CmdMsg", .time_ms = 130, .unread = 2, .newest_ms = 110},
        {.why = "which is no version", .time_ms = 125, .unread = 3, .newest_ms = 125},
        {.why = "an app's own kind",
         .name = "App:Gift",
         .time_ms = 140,
         .unread = 3,
         .newest_ms = 125},
        {.why = "of the moment", .hasty = true, .time_ms = 150, .unread = 3, .newest_ms = 125},
        {.why = "typing", .name = "RC:TypSts", .time_ms = 160, .unread = 3, .newest_ms = 125},
        {.why = "my own", .mine = true, .time_ms = 170, .unread = 3, .newest_ms = 125},
        {.why = "is a version", .time_ms = 165, .unread = 3, .newest_ms = 125},
        {.why = "a room's", .type = 4, .time_ms = 170},
        {.why = "a system's", .type = 6, .time_ms = 170, .unread = 1, .newest_ms = 170},
    };
    struct mt_rong_model *model = model_new();

    (void)state;
    try_lines(model, LINES(lines));
    mt_rong_model_free(model);
    model = model_new();
    model->realtime = true;
    try_lines(model, &(struct line){.why = "realtime conversations count nothing", .time_ms = 1},
              1);
    mt_rong_model_free(model);
}

static void mentions(void **state)
{
    static const struct line lines[] = {
        {.why = "others",
         .type = 3,
         .content = MENTION_THEM,
         .time_ms = 1,
         .unread = 1,
         .newest_ms = 1},
        {.why = "all",
         .type = 3,
         .content = MENTION_ALL,
         .time_ms = 2,
         .unread = 2,
         .mentions = 1,
         .newest_ms = 2},
        {.why = "me",
         .type = 3,
         .content = MENTION_ME,
         .time_ms = 3,
         .unread = 3,
         .mentions = 2,
         .mentions_me = 1,
         .newest_ms = 3},
        {.why = "by myself",
         .type = 3,
         .mine = true,
         .content = MENTION_ME,
         .time_ms = 4,
         .unread = 3,
         .mentions = 2,
         .mentions_me = 1,
         .newest_ms = 3},
    };
    struct mt_rong_model *model = model_new();
    struct mt_arena *arena = mt_arena_new(1 << 20);
    struct mt_conversation_ref ref = ref_of(&lines[0]);
    struct mt_conversation c = {.unread = 0};

    (void)state;
    try_lines(model, LINES(lines));
    assert_int_equal(mt_rong_model_tell(model, mt_rong_model_find(model, &ref), arena, &c), MT_OK);
    assert_true(c.mentions.known && c.mentions.any && !c.mentions.all);
    assert_string_equal(c.mentions.users[0], "bo"); /* of the first */
    assert_null(c.mentions.users[1]);
    assert_int_equal(c.mentions.n, 2);
    assert_int_equal(c.mentions.me, 1);
    assert_int_equal(c.last_unread_ms, 3);
    try_lines(model, &(struct line){.why = "read", .comes = READ_HERE, .type = 3, .time_ms = 5}, 1);
    c = (struct mt_conversation){.unread = 9};
    assert_int_equal(mt_rong_model_tell(model, mt_rong_model_find(model, &ref), arena, &c), MT_OK);
    assert_true(!c.mentions.any && c.mentions.users == NULL && c.unread == 0);
    mt_arena_free(arena);
    mt_rong_model_free(model);
}

static void reading_and_its_sync(void **state)
{
    static const struct line lines[] = {
        {.why = "one", .time_ms = 100, .unread = 1, .newest_ms = 100},
        {.why = "two", .time_ms = 110, .unread = 2, .newest_ms = 110},
        {.why = "the peer's own sync means nothing here",
         .name = "RC:SRSMsg",
         .content = "{\"lastMessageSendTime\":200}",
         .time_ms = 120,
         .unread = 2,
         .newest_ms = 110},
        {.why = "an older sync of mine",
         .name = "RC:SRSMsg",
         .mine = true,
         .time_ms = 105,
         .unread = 2,
         .newest_ms = 110},
        {.why = "a newer one", .name = "RC:SRSMsg", .mine = true, .time_ms = 130},
        {.why = "what came before it", .time_ms = 125},
        {.why = "what came after it", .time_ms = 140, .unread = 1, .newest_ms = 140},
        {.why = "a receipt of the peer",
         .name = "RC:ReadNtf",
         .time_ms = 150,
         .unread = 1,
         .newest_ms = 140},
        {.why = "a receipt of mine, sent by another device",
         .name = "RC:ReadNtf",
         .mine = true,
         .time_ms = 160},
        {.why = "again one", .time_ms = 170, .unread = 1, .newest_ms = 170},
        {.why = "read here", .comes = READ_HERE, .time_ms = 180},
        {.why = "too late to count", .time_ms = 175},
        {.why = "read here, later but of an older time", .comes = READ_HERE, .time_ms = 120},
        {.why = "which does not turn back", .time_ms = 176},
        {.why = "a new one", .time_ms = 190, .unread = 1, .newest_ms = 190},
        {.why = "in a group a receipt clears nothing",
         .type = 3,
         .time_ms = 10,
         .unread = 1,
         .newest_ms = 10},
        {.why = "in a group a receipt clears nothing",
         .type = 3,
         .name = "RC:ReadNtf",
         .mine = true,
         .time_ms = 20,
         .unread = 1,
         .newest_ms = 10},
        {.why = "a sync does", .type = 3, .name = "RC:SRSMsg", .mine = true, .time_ms = 30},
    };
    struct mt_rong_model *model = model_new();

    (void)state;
    try_lines(model, LINES(lines));
    mt_rong_model_free(model);
}

static void recalls(void **state)
{
    static const struct line lines[] = {
        {.why = "one", .time_ms = 100, .unread = 1, .newest_ms = 100},
        {.why = "two",
         .content = MENTION_ALL,
         .time_ms = 110,
         .unread = 2,
         .mentions = 1,
         .newest_ms = 110},
        {.why = "one is recalled",
         .name = "RC:RcCmd",
         .content = RECALL("100", ""),
         .time_ms = 120,
         .unread = 1,
         .mentions = 1,
         .newest_ms = 110},
        {.why = "told twice",
         .name = "RC:RcCmd",
         .content = RECALL("100", ""),
         .time_ms = 120,
         .unread = 1,
         .mentions = 1,
         .newest_ms = 110},
        {.why = "mine is recalled by an admin",
         .name = "RC:RcCmd",
         .content = RECALL("111", "\"originalFromUserId\":\"me\","),
         .time_ms = 125,
         .unread = 1,
         .mentions = 1,
         .newest_ms = 110},
        {.why = "the last is recalled, and the mention with it",
         .name = "RC:RcCmd",
         .content = RECALL("110", ""),
         .time_ms = 130},
        {.why = "nothing is left to recall",
         .name = "RC:RcCmd",
         .content = RECALL("105", ""),
         .time_ms = 135},
        {.why = "three", .time_ms = 140, .unread = 1, .newest_ms = 140},
        {.why = "read", .comes = READ_HERE, .time_ms = 150},
        {.why = "four", .time_ms = 160, .unread = 1, .newest_ms = 160},
        {.why = "what was read is recalled",
         .name = "RC:RcCmd",
         .content = RECALL("140", ""),
         .time_ms = 170,
         .unread = 1,
         .newest_ms = 160},
        {.why = "hostile times",
         .name = "RC:RcCmd",
         .content = RECALL("\"99999999999999999999\"", ""),
         .time_ms = 180,
         .unread = 1,
         .newest_ms = 160},
    };
    struct mt_rong_model *model = model_new();

    (void)state;
    try_lines(model, LINES(lines));
    mt_rong_model_free(model);
}

static void the_clouds_own_counts(void **state)
{
    static const struct line lines[] = {
        {.why = "before the cloud counts", .time_ms = 100, .unread = 1, .newest_ms = 100},
        {.why = "after",
         .content = MENTION_ME,
         .time_ms = 200,
         .unread = 2,
         .mentions = 1,
         .mentions_me = 1,
         .newest_ms = 200},
        {.why = "seven until 150, and one later",
         .comes = SERVER,
         .cut_off_ms = 150,
         .count = 7,
         .unread = 8,
         .mentions = 1,
         .mentions_me = 1,
         .newest_ms = 200},
        {.why = "what it counted is not counted again",
         .time_ms = 140,
         .unread = 8,
         .mentions = 1,
         .mentions_me = 1,
         .newest_ms = 200},
        {.why = "and not twice what came later",
         .comes = SERVER,
         .cut_off_ms = 150,
         .count = 7,
         .unread = 8,
         .mentions = 1,
         .mentions_me = 1,
         .newest_ms = 200},
        {.why = "it knows all",
         .comes = SERVER,
         .cut_off_ms = 250,
         .count = 8,
         .count_mentions = 1,
         .unread = 8,
         .mentions = 1},
        {.why = "a recall that it counts itself",
         .name = "RC:RcCmd",
         .content = RECALL("200", ""),
         .time_ms = 260,
         .unread = 8,
         .mentions = 1},
        {.why = "a recall that it leaves to us",
         .name = "RC:RcCmd",
         .options = 16,
         .content = RECALL("201", ""),
         .time_ms = 270,
         .unread = 7,
         .mentions = 1},
        {.why = "and which it does not know of yet",
         .comes = SERVER,
         .cut_off_ms = 200,
         .count = 8,
         .unread = 7},
        {.why = "nothing is named", .comes = UNCOUNT},
        {.why = "read elsewhere", .comes = SERVER, .cut_off_ms = 300, .count = 0},
        {.why = "a hostile count", .comes = SERVER, .cut_off_ms = 300, .count = -5},
    };
    struct mt_rong_model *model = model_new();

    (void)state;
    model->server_counts = true;
    try_lines(model, LINES(lines));
    for (int i = 0; i < 3 * MT_RONG_COUNTS_MAX; i++)
        come(model, &(struct line){.time_ms = 1000 + i});
    struct mt_conversation_ref ref = ref_of(&lines[0]);
    assert_int_equal(mt_rong_model_find(model, &ref)->counts_n, MT_RONG_COUNTS_MAX);
    mt_rong_model_free(model);
}

static void removing(void **state)
{
    static const struct line lines[] = {
        {.why = "one", .time_ms = 100, .unread = 1, .newest_ms = 100},
        {.why = "removed", .comes = REMOVED},
        {.why = "the same again", .time_ms = 100},
    };
    struct mt_rong_model *model = model_new();
    struct mt_arena *arena = mt_arena_new(1 << 20);
    struct mt_rong_pick all = {.start_ms = 0}, pinned = {.pinned_only = true};
    struct mt_conversation_ref ref = ref_of(&lines[0]);
    size_t n = 0;

    (void)state;
    assert_int_equal(mt_rong_model_top(model, &ref, true, 5), MT_OK);
    assert_int_equal(mt_rong_model_level(model, &ref, 5), MT_OK);
    assert_non_null(mt_rong_model_pick(model, &all, arena, &n));
    assert_int_equal(n, 0); /* a setting alone puts it into no list */
    assert_non_null(mt_rong_model_pick(model, &pinned, arena, &n));
    assert_int_equal(n, 1);
    try_lines(model, LINES(lines));
    assert_true(mt_rong_model_find(model, &ref)->hidden);
    assert_true(mt_rong_model_find(model, &ref)->top); /* settings stay */
    assert_int_equal(mt_rong_model_find(model, &ref)->level, 5);
    assert_non_null(mt_rong_model_pick(model, &all, arena, &n));
    assert_int_equal(n, 0);
    try_lines(model,
              &(struct line){.why = "a new one", .time_ms = 110, .unread = 1, .newest_ms = 110}, 1);
    assert_false(mt_rong_model_find(model, &ref)->hidden);
    assert_non_null(mt_rong_model_pick(model, &all, arena, &n));
    assert_int_equal(n, 1);
    mt_arena_free(arena);
    mt_rong_model_free(model);
}

static void settings(void **state)
{
    struct mt_rong_state items[] = {
        {.ref = {.target = "bob"}, .type = 1, .time_ms = 7, .has_top = true, .top = true},
        {.ref = {.kind = MT_CONVERSATION_GROUP, .target = "g"},
         .type = 3,
         .time_ms = 9,
         .has_level = true,
         .level = -1},
        {.type = 3, .time_ms = 8, .has_level = true, .level = 5},
        {.type = 99, .has_level = true, .level = 5},
        {.type = -1, .has_level = true, .level = 5},
        {.ref = {.target = "eve"}, .type = 1, .has_level = true, .level = 1234567890123},
    };
    struct mt_rong_states_out states = {.items = items, .n = 6, .version = 6};
    struct mt_rong_model *model = model_new();
    struct mt_arena *arena = mt_arena_new(1 << 20);
    struct mt_rong_entry other = {.ref = {.kind = MT_CONVERSATION_GROUP, .target = "other"}};
    struct mt_conversation c = {.unread = 0};

    (void)state;
    assert_int_equal(mt_rong_model_states(model, &states), MT_OK);
    assert_int_equal(model->states_version, 9); /* the newest of their times */
    assert_int_equal(mt_rong_model_tell(model, mt_rong_model_find(model, &items[0].ref), arena, &c),
                     MT_OK);
    assert_true(c.pinned && c.pinned_ms == 7 && c.notification == MT_NOTIFY_DEFAULT);
    assert_int_equal(mt_rong_model_tell(model, mt_rong_model_find(model, &items[1].ref), arena, &c),
                     MT_OK);
    assert_int_equal(c.notification, MT_NOTIFY_ALL);
    assert_int_equal(mt_rong_model_tell(model, &other, arena, &c), MT_OK);
    assert_int_equal(c.notification, MT_NOTIFY_NONE); /* of all groups */
    assert_int_equal(mt_rong_model_tell(model, mt_rong_model_find(model, &items[5].ref), arena, &c),
                     MT_OK);
    assert_int_equal(c.notification, MT_NOTIFY_DEFAULT);
    mt_arena_free(arena);
    mt_rong_model_free(model);
}

/* A model that is filled anew keeps what was set and read, and counts only what is newer. */
static void begins_afresh(void **state)
{
    static const struct line before[] = {
        {.why = "one", .time_ms = 100, .unread = 1, .newest_ms = 100},
        {.why = "read", .comes = READ_HERE, .time_ms = 150},
    };
    static const struct line after[] = {
        {.why = "was read", .time_ms = 100},
        {.why = "was not", .time_ms = 160, .unread = 1, .newest_ms = 160},
    };
    struct mt_rong_model *model = model_new();
    struct mt_rong_model *fresh = NULL;
    struct mt_conversation_ref ref = ref_of(&before[0]);

    (void)state;
    try_lines(model, LINES(before));
    assert_int_equal(mt_rong_model_top(model, &ref, true, 5), MT_OK);
    model->levels[3] = 5;
    fresh = mt_rong_model_fresh(model);
    assert_non_null(fresh);
    try_lines(fresh, LINES(after));
    assert_true(mt_rong_model_find(fresh, &ref)->top);
    assert_int_equal(fresh->levels[3], 5);
    mt_rong_model_free(fresh);
    mt_rong_model_free(model);
}

/* Whatever comes, it stays bounded; what was set is the last to be forgotten. */
static void is_bounded(void **state)
{
    struct mt_rong_model *model = model_new();
    struct mt_conversation_ref pinned = {.target = "pinned"};

    (void)state;
    assert_int_equal(mt_rong_model_top(model, &pinned, true, 1), MT_OK);
    for (int i = 0; i < MT_RONG_ENTRIES_MAX + 300; i++) {
        struct mt_rong_relation relation = {.version_ms = 10 + i, .unread = -1};

        snprintf(relation.ref.target, sizeof relation.ref.target, "u%d", i);
        assert_int_equal(mt_rong_model_relation(model, &relation), MT_OK);
    }
    assert_int_equal(mt_map_count(model->entries), MT_RONG_ENTRIES_MAX);
    assert_non_null(mt_rong_model_find(model, &pinned));
    assert_null(mt_rong_model_find(model, &(struct mt_conversation_ref){.target = "u0"}));
    mt_rong_model_free(model);
}

/* A failed allocation anywhere leaves a model that can be used and freed. */
static void survives_short_memory(void **state)
{
    static const struct line lines[] = {
        {.type = 3, .content = MENTION_ME, .time_ms = 1},
        {.type = 3, .content = MENTION_ME, .time_ms = 2},
    };

    (void)state;
    for (uint64_t at = 1; at < 40; at++) {
        struct mt_arena *arena = mt_arena_new(1 << 20), *scratch = mt_arena_new(1 << 20);
        struct mt_message m[2] = {decoded(&lines[0], arena, scratch),
                                  decoded(&lines[1], arena, scratch)};
        struct mt_rong_model *model = NULL;
        bool short_of = false;

        mt_mem_seam_fail_at(at, 0);
        model = mt_rong_model_new("me");
        if (model != NULL) {
            model->server_counts = model->keeps_last = true;
            for (size_t i = 0; i < 2; i++)
                short_of = mt_rong_model_arrive(model, &m[i]) != MT_OK || short_of;
        }
        mt_mem_seam_fail_at(0, 0);
        if (model != NULL) {
            struct mt_conversation_ref ref = ref_of(&lines[0]);
            const struct mt_rong_entry *entry = mt_rong_model_find(model, &ref);

            assert_true(short_of || (entry != NULL && entry->unread == 2 && entry->mentions == 2));
        }
        mt_rong_model_free(model);
        mt_arena_free(arena);
        mt_arena_free(scratch);
    }
}

static void finds_messages_again(void **state)
{
    struct mt_rong_keys *keys = mt_rong_keys_new(1024);
    size_t found = 0;
    char id[32];

    (void)state;
    assert_non_null(keys);
    for (int i = 1; i <= 5000; i++) {
        snprintf(id, sizeof id, "AAAA-%d", i);
        mt_rong_keys_note(keys, &(struct mt_message){.id = id, .time_ms = i, .sent = i % 2});
    }
    for (int i = 1; i <= 5000; i++) {
        struct mt_message_key key = {.id = id};

        snprintf(id, sizeof id, "AAAA-%d", i);
        if (!mt_rong_keys_find(keys, &key))
            continue;
        found++;
        assert_int_equal(key.time_ms, i);
        assert_int_equal(key.sent, i % 2);
    }
    assert_in_range(found, 900, 1024);   /* no more than its bound, and nearly all of it is used */
    for (int i = 4800; i <= 5000; i++) { /* the newest are there */
        struct mt_message_key key = {.id = id};

        snprintf(id, sizeof id, "AAAA-%d", i);
        assert_true(mt_rong_keys_find(keys, &key));
    }
    mt_rong_keys_note(keys, &(struct mt_message){.id = "", .time_ms = 1});
    mt_rong_keys_note(keys, &(struct mt_message){.id = "timeless"});
    assert_false(mt_rong_keys_find(keys, &(struct mt_message_key){.id = "timeless"}));
    assert_false(mt_rong_keys_find(keys, &(struct mt_message_key){.id = ""}));
    assert_false(mt_rong_keys_find(NULL, &(struct mt_message_key){.id = "x"}));
    mt_rong_keys_free(keys);
}

int test_model(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_as_the_sdk),
        cmocka_unit_test(mentions),
        cmocka_unit_test(reading_and_its_sync),
        cmocka_unit_test(recalls),
        cmocka_unit_test(the_clouds_own_counts),
        cmocka_unit_test(removing),
        cmocka_unit_test(settings),
        cmocka_unit_test(begins_afresh),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(survives_short_memory),
        cmocka_unit_test(finds_messages_again),
    };

    return cmocka_run_group_tests_name("rongcloud model", tests, NULL, NULL);
}
