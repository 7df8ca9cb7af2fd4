/* Random policies over random messages. What they decide is compared with plain and, or, not over
 * the same conditions; the bounds must let through whatever is meant; and a message that does not
 * tell all is meant only if it would be meant whatever it told. */
#include "tests.h"

#include "base/buf.h"
#include "base/rand.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW      INT64_C(1800000000000)
#define TREES_N  20000
#define TRIES_N  20
#define NODES_N  64
#define LEAVES_N 13

/* What a message may be, small enough that conditions often hold. Times are NOW - age. */
static const int64_t ages[] = {0, 1, 2, 5, 9};
static const char *const people[] = {"ann", "bob", "cyd"};
static const char *const kinds[] = {"text", "image", "vote"};
static const struct mt_conversation_ref places[] = {{MT_CONVERSATION_SINGLE, "ann", ""},
                                                    {MT_CONVERSATION_GROUP, "1", ""}};

struct sample {
    size_t age, who, kind, place;
    uint64_t newer_n;
    bool pinned;
};

/* A node of the test's own tree. */
struct node {
    int op; /* 0 leaf, 1 or, 2 and, 3 and not */
    int leaf;
    size_t arg, a, b;
};

struct tree {
    struct node nodes[NODES_N];
    size_t n;
};

static size_t pick(size_t n)
{
    return (size_t)mt_rand_below(n);
}

static size_t grow(struct tree *t, unsigned depth)
{
    size_t at = t->n++;
    struct node *node = &t->nodes[at];

    node->op = depth == 0 || t->n > NODES_N - 2 * depth - 2 ? 0 : (int)pick(4);
    node->leaf = (int)pick(LEAVES_N);
    node->arg = pick(3);
    if (node->op) {
        node->a = grow(t, depth - 1);
        node->b = grow(t, depth - 1);
    }
    return at;
}

static bool plain_leaf(const struct node *l, const struct sample *s)
{
    int64_t age = ages[s->age], limit = ages[l->arg + 1];

    switch (l->leaf) {
    case 0:
    case 1:
        return age > limit;
    case 2:
    case 3:
        return NOW - age < NOW - limit;
    case 4:
    case 5:
        return age <= limit;
    case 6:
        return s->who == l->arg;
    case 7:
    case 8:
        return s->kind == l->arg;
    case 9:
        return s->place == l->arg % 2;
    case 10:
        return s->newer_n < l->arg + 1;
    case 11:
        return s->pinned;
    default:
        return true;
    }
}

static bool plain(const struct tree *t, size_t at, const struct sample *s)
{
    const struct node *node = &t->nodes[at];

    if (!node->op)
        return plain_leaf(node, s);
    bool a = plain(t, node->a, s), b = plain(t, node->b, s);
    return node->op == 1 ? a || b : node->op == 2 ? a && b : a && !b;
}

static struct mt_policy *make_leaf(const struct node *l)
{
    struct mt_policy *p = NULL;
    int64_t limit = ages[l->arg + 1];
    enum mt_rc rc = MT_OK;

    switch (l->leaf) {
    case 0:
    case 1:
        rc = mt_policy_older_than(limit, &p, NULL);
        break;
    case 2:
    case 3:
        rc = mt_policy_before(NOW - limit, &p, NULL);
        break;
    case 4:
    case 5:
        rc = mt_policy_since(NOW - limit, &p, NULL);
        break;
    case 6:
        rc = mt_policy_from(people[l->arg], &p, NULL);
        break;
    case 7:
    case 8:
        rc = mt_policy_kind(kinds[l->arg], &p, NULL);
        break;
    case 9:
        rc = mt_policy_in_conversation(l->arg % 2 ? "group:*" : "ann", &p, NULL);
        break;
    case 10:
        rc = mt_policy_newest(l->arg + 1, &p, NULL);
        break;
    case 11:
        rc = mt_policy_pinned(&p, NULL);
        break;
    default:
        rc = mt_policy_all(&p, NULL);
    }
    assert_int_equal(rc, MT_OK);
    return p;
}

static struct mt_policy *make(const struct tree *t, size_t at)
{
    static const enum mt_policy_join joins[] = {MT_POLICY_OR, MT_POLICY_OR, MT_POLICY_AND,
                                                MT_POLICY_AND_NOT};
    const struct node *node = &t->nodes[at];
    struct mt_policy *both = NULL;

    if (!node->op)
        return make_leaf(node);
    struct mt_policy *a = make(t, node->a), *b = make(t, node->b);
    assert_int_equal(mt_policy_join(joins[node->op], a, b, &both, NULL), MT_OK);
    mt_policy_release(a);
    mt_policy_release(b);
    return both;
}

static struct sample random_sample(void)
{
    return (struct sample){pick(5), pick(3), pick(3), pick(2), pick(5), pick(2) == 1};
}

static struct mt_message message_of(const struct sample *s)
{
    return (struct mt_message){.id = "1",
                               .time_ms = NOW - ages[s->age],
                               .conversation = places[s->place],
                               .from = people[s->who],
                               .kind = s->kind == 2 ? MT_MESSAGE_OTHER : MT_MESSAGE_TEXT,
                               .kind_name = kinds[s->kind]};
}

static bool means(const struct mt_policy *policy, const struct sample *s,
                  const struct mt_message *m)
{
    struct mt_policy_facts facts = {
        .message = m, .pinned = s->pinned, .newer_n = s->newer_n, .now_ms = NOW};
    return mt_policy_holds(policy, &facts);
}

static bool within(const struct mt_policy_bounds *b, const struct mt_message *m)
{
    bool kind = !b->kinds_n;

    for (size_t i = 0; i < b->kinds_n; i++)
        kind = kind || !strcmp(b->kinds[i], m->kind_name);
    return !b->nothing && kind && (!b->since_ms || m->time_ms >= b->since_ms) &&
           (!b->until_ms || m->time_ms < b->until_ms) && (!b->from || !strcmp(b->from, m->from));
}

static void complain(const struct mt_policy *policy, const char *what)
{
    struct mt_buf text;

    mt_buf_init(&text, 1 << 16);
    enum mt_rc rc = mt_policy_write(policy, &text);
    fail_msg("%s: %s", what, rc ? mt_rc_name(rc) : text.data);
}

/* What hides its time or sender is meant only if it is, whatever they are. */
static void try_hidden(const struct mt_policy *policy, struct sample s)
{
    bool no_time = pick(2) == 1, no_from = pick(2) == 1;
    struct mt_message hidden = message_of(&s);

    hidden.time_ms = no_time ? 0 : hidden.time_ms;
    hidden.from = no_from ? NULL : hidden.from;
    if (!means(policy, &s, &hidden))
        return;
    for (size_t i = 0; i < 15; i++) {
        s.age = no_time ? i % 5 : s.age;
        s.who = no_from ? i / 5 : s.who;
        struct mt_message m = message_of(&s);
        if (!means(policy, &s, &m))
            complain(policy, "a message that tells less is meant more");
    }
}

static void random_policies_hold(void **state)
{
    unsigned tight_n = 0, meant_n = 0, narrow_n = 0;

    (void)state;
    for (int i = 0; i < TREES_N; i++) {
        struct tree tree = {.n = 0};
        struct mt_policy_bounds bounds, beyond;

        grow(&tree, 1 + (unsigned)pick(5));
        struct mt_policy *policy = make(&tree, 0);
        mt_policy_bounds(policy, NOW, &bounds);
        mt_policy_bounds_beyond(policy, NOW, &beyond);
        for (int k = 0; k < TRIES_N; k++) {
            struct sample s = random_sample();
            struct mt_message m = message_of(&s);
            bool meant = means(policy, &s, &m);

            if (meant != plain(&tree, 0, &s))
                complain(policy, "it decides otherwise than and, or and not do");
            if (meant && !within(&bounds, &m))
                complain(policy, "its bounds leave out what it means");
            if (meant && s.newer_n >= 3 && !within(&beyond, &m))
                complain(policy, "its bounds of what is not the newest leave out what it means");
            if (meant && !mt_policy_may_concern(policy, &m.conversation))
                complain(policy, "it means a message of a conversation that it cannot concern");
            meant_n += meant;
            tight_n += !within(&bounds, &m);
            narrow_n += beyond.nothing && !bounds.nothing;
            try_hidden(policy, s);
        }
        mt_policy_release(policy);
    }
    /* Otherwise nothing was tried, or nothing bounded. */
    assert_true(meant_n > TREES_N);
    assert_true(tight_n > TREES_N);
    assert_true(narrow_n > TREES_N / 10);
}

/* Not only wide enough, but as narrow as this. */
static void usual_policies_are_bounded(void **state)
{
    struct mt_policy *older = NULL, *newer = NULL, *all = NULL, *ann = NULL, *bob = NULL,
                     *image = NULL, *vote = NULL, *p = NULL, *q = NULL;
    struct mt_policy_bounds b;

    (void)state;
    assert_int_equal(mt_policy_older_than(100, &older, NULL), MT_OK);
    assert_int_equal(mt_policy_since(NOW - 500, &newer, NULL), MT_OK);
    assert_int_equal(mt_policy_all(&all, NULL), MT_OK);
    assert_int_equal(mt_policy_from("ann", &ann, NULL), MT_OK);
    assert_int_equal(mt_policy_from("bob", &bob, NULL), MT_OK);
    assert_int_equal(mt_policy_kind("image", &image, NULL), MT_OK);
    assert_int_equal(mt_policy_kind("vote", &vote, NULL), MT_OK);

    assert_int_equal(mt_policy_join(MT_POLICY_AND, older, newer, &p, NULL), MT_OK);
    assert_int_equal(mt_policy_join(MT_POLICY_AND_NOT, p, ann, &q, NULL), MT_OK);
    mt_policy_bounds(q, NOW, &b);
    assert_true(b.until_ms == NOW - 100 && b.since_ms == NOW - 500 && !b.from && !b.nothing);
    mt_policy_release(p);
    mt_policy_release(q);
    /* younger than, as one writes it */
    assert_int_equal(mt_policy_join(MT_POLICY_AND_NOT, all, older, &p, NULL), MT_OK);
    mt_policy_bounds(p, NOW, &b);
    assert_true(b.since_ms == NOW - 100 && !b.until_ms && !b.nothing);
    mt_policy_release(p);
    assert_int_equal(mt_policy_join(MT_POLICY_OR, image, vote, &p, NULL), MT_OK);
    assert_int_equal(mt_policy_join(MT_POLICY_AND, p, ann, &q, NULL), MT_OK);
    mt_policy_bounds(q, NOW, &b);
    assert_true(b.kinds_n == 2 && !strcmp(b.kinds[0], "vote") && !strcmp(b.kinds[1], "image") &&
                !strcmp(b.from, "ann"));
    mt_policy_release(p);
    assert_int_equal(mt_policy_join(MT_POLICY_AND, q, bob, &p, NULL), MT_OK);
    mt_policy_bounds(p, NOW, &b);
    assert_true(b.nothing);
    mt_policy_release(p);
    mt_policy_release(q);
    assert_int_equal(mt_policy_join(MT_POLICY_AND_NOT, newer, all, &p, NULL), MT_OK);
    mt_policy_bounds(p, NOW, &b);
    assert_true(b.nothing);
    mt_policy_release(p);
    mt_policy_bounds(older, 50, &b);
    assert_true(b.nothing);
    struct mt_policy *each[] = {older, newer, all, ann, bob, image, vote};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        mt_policy_release(each[i]);
}

/* More kinds than can be said are any kind. */
static void many_kinds_are_any(void **state)
{
    struct mt_policy *sum = NULL;
    struct mt_policy_bounds b;
    char name[8];

    (void)state;
    for (int i = 0; i < 40; i++) {
        struct mt_policy *one = NULL, *both = NULL;
        snprintf(name, sizeof name, "k%d", i);
        assert_int_equal(mt_policy_kind(name, &one, NULL), MT_OK);
        if (sum) {
            assert_int_equal(mt_policy_join(MT_POLICY_OR, sum, one, &both, NULL), MT_OK);
            mt_policy_release(sum);
            mt_policy_release(one);
            one = both;
        }
        sum = one;
        mt_policy_bounds(sum, NOW, &b);
        assert_int_equal(b.kinds_n, i < 16 ? i + 1 : 0);
    }
    mt_policy_release(sum);
}

int test_policy_property(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_policies_hold),
        cmocka_unit_test(usual_policies_are_bounded),
        cmocka_unit_test(many_kinds_are_any),
    };
    return cmocka_run_group_tests_name("policy/property", tests, NULL, NULL);
}
