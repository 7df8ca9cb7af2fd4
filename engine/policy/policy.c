/* How policies are joined, and what they say of a message. */
#include "policy/policy_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* ---------------------------------------------------------------- joining */

struct mt_policy *mt_policy_retain(const struct mt_policy *policy)
{
    struct mt_policy *p = (struct mt_policy *)policy;

    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void mt_policy_release(struct mt_policy *policy)
{
    while (policy && atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) == 1) {
        struct mt_policy *next = policy->a;

        mt_policy_release(policy->b);
        mt_mem_free(policy->text);
        mt_mem_free(policy);
        policy = next;
    }
}

/* Sorted, each once. False: too many. */
static bool merge_ranks(struct mt_policy *to, const struct mt_policy *from)
{
    for (size_t i = 0; i < from->ranks_n; i++) {
        size_t at = 0;
        while (at < to->ranks_n && to->ranks[at] < from->ranks[i])
            at++;
        if (at < to->ranks_n && to->ranks[at] == from->ranks[i])
            continue;
        if (to->ranks_n == MT_POLICY_RANKS_MAX)
            return false;
        memmove(&to->ranks[at + 1], &to->ranks[at], (to->ranks_n - at) * sizeof *to->ranks);
        to->ranks[at] = from->ranks[i];
        to->ranks_n++;
    }
    return true;
}

enum mt_rc mt_policy_join(enum mt_policy_join how, const struct mt_policy *a,
                          const struct mt_policy *b, struct mt_policy **out, struct mt_fault *fault)
{
    static const enum mt_policy_type types[] = {[MT_POLICY_OR] = MT_POLICY_TYPE_OR,
                                                [MT_POLICY_AND] = MT_POLICY_TYPE_AND,
                                                [MT_POLICY_AND_NOT] = MT_POLICY_TYPE_AND_NOT};
    unsigned depth = a->depth + (a->type != types[how]);
    struct mt_policy *p = NULL;
    enum mt_rc rc = mt_policy_new(types[how], 0, NULL, &p, fault);

    *out = NULL;
    if (rc)
        return rc;
    p->a = mt_policy_retain(a);
    p->b = mt_policy_retain(b);
    p->depth = b->depth >= depth ? b->depth + 1 : depth;
    p->nodes_n = a->nodes_n + b->nodes_n + 1;
    p->pinned = a->pinned || b->pinned;
    if (p->nodes_n > MT_POLICY_NODES_MAX)
        rc = mt_fault_set(fault, MT_ERR_LIMIT, "policy.size",
                          "a policy has at most %d conditions and joins: make several of it",
                          MT_POLICY_NODES_MAX);
    else if (p->depth > MT_POLICY_DEPTH_MAX)
        rc = mt_fault_set(fault, MT_ERR_LIMIT, "policy.size",
                          "a policy is nested at most %d deep: join its parts in one line",
                          MT_POLICY_DEPTH_MAX);
    else if (!merge_ranks(p, a) || !merge_ranks(p, b))
        rc = mt_fault_set(fault, MT_ERR_LIMIT, "policy.size",
                          "a policy has at most %d different newest(n)", MT_POLICY_RANKS_MAX);
    if (rc)
        mt_policy_release(p);
    else
        *out = p;
    return rc;
}

/* ---------------------------------------------------------------- deciding */

enum mt_policy_truth mt_policy_judge(const struct mt_policy *policy, mt_policy_say_fn *say,
                                     void *ud)
{
    enum mt_policy_type type = policy->type;
    enum mt_policy_truth sum = MT_POLICY_YES;
    bool turn = type == MT_POLICY_TYPE_OR; /* or is and with everything turned round */

    if (type < MT_POLICY_TYPE_OR)
        return say(ud, policy);
    for (bool first = false; !first && sum != MT_POLICY_NO; policy = policy->a) {
        first = policy->type != type; /* the end of the list, or rather its beginning */
        enum mt_policy_truth one = mt_policy_judge(first ? policy : policy->b, say, ud);
        if (turn || (type == MT_POLICY_TYPE_AND_NOT && !first))
            one = (enum mt_policy_truth)(MT_POLICY_YES - one);
        if (one < sum)
            sum = one;
    }
    return turn ? (enum mt_policy_truth)(MT_POLICY_YES - sum) : sum;
}

static bool is_larger(const struct mt_message *m, int64_t bytes)
{
    const struct mt_value *size =
        m->body.type == MT_VALUE_MAP ? mt_value_get(&m->body, "size_bytes") : NULL;

    if (!size)
        return false;
    return (size->type == MT_VALUE_INT && size->i > bytes) || size->type == MT_VALUE_UINT ||
           (size->type == MT_VALUE_DOUBLE && size->d > (double)bytes);
}

struct looking {
    const struct mt_policy_facts *facts;
    char conversation[MT_CONVERSATION_ID_MAX]; /* once it was asked for */
};

static enum mt_policy_truth is_in(struct looking *l, const char *pattern)
{
    if (!l->conversation[0])
        mt_conversation_ref_format(&l->facts->message->conversation, l->conversation);
    return mt_policy_truth_of(
        mt_str_glob(pattern, l->conversation, strlen(l->conversation), false));
}

static enum mt_policy_truth of_time(const struct mt_policy *c, int64_t time_ms, int64_t now_ms)
{
    if (time_ms <= 0)
        return MT_POLICY_UNKNOWN;
    if (c->type == MT_POLICY_TYPE_OLDER_THAN)
        return mt_policy_truth_of(time_ms < now_ms - c->n);
    return mt_policy_truth_of((time_ms < c->n) == (c->type == MT_POLICY_TYPE_BEFORE));
}

static enum mt_policy_truth say_of_message(void *ud, const struct mt_policy *c)
{
    struct looking *l = ud;
    const struct mt_message *m = l->facts->message;

    switch (c->type) {
    case MT_POLICY_TYPE_OLDER_THAN:
    case MT_POLICY_TYPE_BEFORE:
    case MT_POLICY_TYPE_SINCE:
        return of_time(c, m->time_ms, l->facts->now_ms);
    case MT_POLICY_TYPE_FROM:
        if (!m->from || !*m->from)
            return MT_POLICY_UNKNOWN;
        return mt_policy_truth_of(!strcmp(m->from, c->text));
    case MT_POLICY_TYPE_KIND:
        return mt_policy_truth_of(
            !strcmp(m->kind_name ? m->kind_name : mt_message_kind_name(m->kind), c->text));
    case MT_POLICY_TYPE_IN_CONVERSATION:
        return is_in(l, c->text);
    case MT_POLICY_TYPE_LARGER_THAN:
        return mt_policy_truth_of(is_larger(m, c->n));
    case MT_POLICY_TYPE_MATCHES:
        return mt_policy_truth_of(m->text && mt_str_glob(c->text, m->text, m->text_len, true));
    case MT_POLICY_TYPE_NEWEST:
        return mt_policy_truth_of(l->facts->newer_n < (uint64_t)c->n);
    case MT_POLICY_TYPE_PINNED:
        return mt_policy_truth_of(l->facts->pinned);
    default:
        return MT_POLICY_YES; /* all */
    }
}

bool mt_policy_holds(const struct mt_policy *policy, const struct mt_policy_facts *facts)
{
    struct looking looking = {.facts = facts};

    return facts->message->type == MT_TYPE_MESSAGE &&
           mt_policy_judge(policy, say_of_message, &looking) == MT_POLICY_YES;
}

size_t mt_policy_ranks(const struct mt_policy *policy, uint64_t out[MT_POLICY_RANKS_MAX])
{
    memcpy(out, policy->ranks, policy->ranks_n * sizeof *out);
    return policy->ranks_n;
}

bool mt_policy_needs_pinned(const struct mt_policy *policy)
{
    return policy->pinned;
}
