/* What every message that a policy can mean has in common, so that the cloud need not send the
 * rest. Each condition bounds in two ways: as it stands, and when it is excepted; what is not sure
 * bounds nothing. */
#include "policy/policy_int.h"

#include "base/str.h"

#include <string.h>

#define KINDS_MAX (sizeof((struct mt_policy_bounds *)0)->kinds / sizeof(const char *))

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return !a || (b && b < a) ? b : a;
}

static bool has_kind(const struct mt_policy_bounds *bounds, const char *kind)
{
    for (size_t i = 0; i < bounds->kinds_n; i++)
        if (!strcmp(bounds->kinds[i], kind))
            return true;
    return false;
}

static void set_nothing(struct mt_policy_bounds *to)
{
    memset(to, 0, sizeof *to);
    to->nothing = true;
}

/* Both hold. */
static void narrow(struct mt_policy_bounds *to, const struct mt_policy_bounds *by)
{
    size_t kept = 0;

    if (to->nothing || by->nothing || (to->from && by->from && strcmp(to->from, by->from) != 0)) {
        set_nothing(to);
        return;
    }
    to->since_ms = later(to->since_ms, by->since_ms);
    to->until_ms = earlier(to->until_ms, by->until_ms);
    if (!to->from)
        to->from = by->from;
    if (!to->kinds_n) {
        memcpy(to->kinds, by->kinds, sizeof to->kinds);
        kept = by->kinds_n;
    } else if (!by->kinds_n) {
        kept = to->kinds_n;
    } else {
        for (size_t i = 0; i < to->kinds_n; i++)
            if (has_kind(by, to->kinds[i]))
                to->kinds[kept++] = to->kinds[i];
        if (!kept) {
            set_nothing(to);
            return;
        }
    }
    to->kinds_n = kept;
    if (to->until_ms && to->since_ms >= to->until_ms)
        set_nothing(to);
}

static void add_kinds(struct mt_policy_bounds *to, const struct mt_policy_bounds *by)
{
    if (!to->kinds_n || !by->kinds_n) {
        to->kinds_n = 0;
        return;
    }
    for (size_t i = 0; i < by->kinds_n; i++) {
        if (has_kind(to, by->kinds[i]))
            continue;
        if (to->kinds_n == KINDS_MAX) {
            to->kinds_n = 0; /* more than can be said: any */
            return;
        }
        to->kinds[to->kinds_n++] = by->kinds[i];
    }
}

/* One of them holds. */
static void widen(struct mt_policy_bounds *to, const struct mt_policy_bounds *by)
{
    if (by->nothing)
        return;
    if (to->nothing) {
        *to = *by;
        return;
    }
    to->since_ms = to->since_ms && by->since_ms ? earlier(to->since_ms, by->since_ms) : 0;
    to->until_ms = to->until_ms && by->until_ms ? later(to->until_ms, by->until_ms) : 0;
    if (!to->from || !by->from || strcmp(to->from, by->from) != 0)
        to->from = NULL;
    add_kinds(to, by);
}

static void set_until(struct mt_policy_bounds *out, int64_t until_ms)
{
    if (until_ms <= 1) /* a message without a time is meant by no condition on times */
        set_nothing(out);
    else
        out->until_ms = until_ms;
}

/* Which messages are asked about. */
struct asked {
    int64_t now_ms;
    bool beyond; /* those only that are none of the newest */
};

static void bound_one(const struct mt_policy *c, bool excepted, const struct asked *asked,
                      struct mt_policy_bounds *out)
{
    int64_t time_ms = c->type == MT_POLICY_TYPE_OLDER_THAN ? asked->now_ms - c->n : c->n;

    memset(out, 0, sizeof *out);
    switch (c->type) {
    case MT_POLICY_TYPE_OLDER_THAN:
    case MT_POLICY_TYPE_BEFORE:
    case MT_POLICY_TYPE_SINCE:
        if (excepted == (c->type == MT_POLICY_TYPE_SINCE))
            set_until(out, time_ms);
        else
            out->since_ms = later(time_ms, 0);
        break;
    case MT_POLICY_TYPE_FROM:
        out->from = excepted ? NULL : c->text;
        break;
    case MT_POLICY_TYPE_KIND:
        out->kinds[0] = c->text;
        out->kinds_n = !excepted;
        break;
    case MT_POLICY_TYPE_ALL:
        out->nothing = excepted;
        break;
    case MT_POLICY_TYPE_NEWEST:
        out->nothing = asked->beyond && !excepted;
        break;
    default:
        break;
    }
}

static void bound(const struct mt_policy *policy, bool excepted, const struct asked *asked,
                  struct mt_policy_bounds *out)
{
    enum mt_policy_type type = policy->type;

    if (type < MT_POLICY_TYPE_OR) {
        bound_one(policy, excepted, asked, out);
        return;
    }
    /* What is excepted of a and b is what is excepted of a, or of b; and the other way round. */
    bool wide = (type == MT_POLICY_TYPE_OR) != excepted;
    memset(out, 0, sizeof *out);
    out->nothing = wide;
    for (bool first = false; !first; policy = policy->a) {
        struct mt_policy_bounds one;

        first = policy->type != type;
        if (first)
            bound(policy, excepted, asked, &one);
        else
            bound(policy->b, excepted != (type == MT_POLICY_TYPE_AND_NOT), asked, &one);
        if (wide)
            widen(out, &one);
        else
            narrow(out, &one);
    }
}

void mt_policy_bounds(const struct mt_policy *policy, int64_t now_ms, struct mt_policy_bounds *out)
{
    struct asked asked = {.now_ms = now_ms};

    bound(policy, false, &asked, out);
}

void mt_policy_bounds_beyond(const struct mt_policy *policy, int64_t now_ms,
                             struct mt_policy_bounds *out)
{
    struct asked asked = {.now_ms = now_ms, .beyond = true};

    bound(policy, false, &asked, out);
}

static enum mt_policy_truth say_of_conversation(void *ud, const struct mt_policy *c)
{
    const char *id = ud;

    if (c->type == MT_POLICY_TYPE_ALL)
        return MT_POLICY_YES;
    if (c->type != MT_POLICY_TYPE_IN_CONVERSATION)
        return MT_POLICY_UNKNOWN;
    return mt_policy_truth_of(mt_str_glob(c->text, id, strlen(id), false));
}

bool mt_policy_may_concern(const struct mt_policy *policy, const struct mt_conversation_ref *ref)
{
    char id[MT_CONVERSATION_ID_MAX];

    mt_conversation_ref_format(ref, id);
    return mt_policy_judge(policy, say_of_conversation, id) != MT_POLICY_NO;
}
