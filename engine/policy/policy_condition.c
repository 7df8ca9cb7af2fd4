/* The conditions, and what is wrong with their arguments. */
#include "policy/policy_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/time.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX 1024 /* of a pattern, with NUL */
#define NAME_MAX 256  /* of a user, a kind or a conversation, with NUL */

enum mt_rc mt_policy_new(enum mt_policy_type type, int64_t n, const char *text,
                         struct mt_policy **out, struct mt_fault *fault)
{
    struct mt_policy *policy = mt_mem_calloc(1, sizeof *policy);

    *out = NULL;
    if (policy && text)
        policy->text = mt_mem_strdup(text);
    if (!policy || (text && !policy->text)) {
        mt_mem_free(policy);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    atomic_init(&policy->refs, 1);
    policy->type = type;
    policy->depth = 1;
    policy->nodes_n = 1;
    policy->n = n;
    *out = policy;
    return MT_OK;
}

enum mt_rc mt_policy_older_than(int64_t age_ms, struct mt_policy **out, struct mt_fault *fault)
{
    *out = NULL;
    if (age_ms < 0)
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.older_than",
                            "older_than: an age is not negative: write one such as \"90d\"");
    return mt_policy_new(MT_POLICY_TYPE_OLDER_THAN, age_ms, NULL, out, fault);
}

/* Times that can be written down and read again. */
static bool writable(int64_t time_ms)
{
    char text[MT_TIME_RFC3339_LEN];

    mt_time_format(time_ms, text);
    return time_ms > 0 && *text;
}

enum mt_rc mt_policy_before(int64_t time_ms, struct mt_policy **out, struct mt_fault *fault)
{
    *out = NULL;
    if (!writable(time_ms))
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.before",
                            "before: the time must lie between 1970 and 9999");
    return mt_policy_new(MT_POLICY_TYPE_BEFORE, time_ms, NULL, out, fault);
}

enum mt_rc mt_policy_since(int64_t time_ms, struct mt_policy **out, struct mt_fault *fault)
{
    *out = NULL;
    if (!writable(time_ms))
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.since",
                            "since: the time must lie between 1970 and 9999");
    return mt_policy_new(MT_POLICY_TYPE_SINCE, time_ms, NULL, out, fault);
}

/* The reason why it can be no name; NULL: it can. */
static const char *no_name(const char *text)
{
    size_t len = text ? strlen(text) : 0;

    if (!len)
        return "is empty";
    if (len >= NAME_MAX)
        return "is too long";
    if (!mt_str_utf8_valid(text, len))
        return "is not UTF-8";
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return "has a control character";
    return NULL;
}

enum mt_rc mt_policy_from(const char *user, struct mt_policy **out, struct mt_fault *fault)
{
    const char *why = no_name(user);

    *out = NULL;
    if (why)
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.from",
                            "from: the user's id %s: write it as message.from shows it", why);
    return mt_policy_new(MT_POLICY_TYPE_FROM, 0, user, out, fault);
}

/* One letter too many, too few, wrong, or changed with its neighbour; or the case alone. */
static bool is_slip(const char *word, const char *meant)
{
    size_t len = strlen(word), meant_len = strlen(meant);
    size_t same = 0;

    if (!strcasecmp(word, meant))
        return true;
    while (word[same] && word[same] == meant[same])
        same++;
    word += same;
    meant += same;
    if (len > meant_len)
        return !strcmp(word + 1, meant);
    if (len < meant_len)
        return !strcmp(word, meant + 1);
    return !strcmp(word + 1, meant + 1) ||
           (word[1] == meant[0] && word[0] == meant[1] && !strcmp(word + 2, meant + 2));
}

/* Clouds and apps have names of their own for what is none of our kinds, so any name may be right;
 * but one that is a slip away from a kind is that slip: as an exception it would keep nothing. */
enum mt_rc mt_policy_kind(const char *kind, struct mt_policy **out, struct mt_fault *fault)
{
    const char *why = no_name(kind);
    const char *near = NULL;

    *out = NULL;
    if (why)
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.kind",
                            "kind: the name %s: write one such as \"image\"", why);
    for (int i = MT_MESSAGE_TEXT; i < MT_MESSAGE_OTHER; i++) {
        const char *name = mt_message_kind_name((enum mt_message_kind)i);
        if (!strcmp(kind, name))
            return mt_policy_new(MT_POLICY_TYPE_KIND, 0, kind, out, fault);
        near = is_slip(kind, name) ? name : near;
    }
    if (near)
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.kind",
                            "kind: there is no kind '%.60s': did you mean '%s'?", kind, near);
    return mt_policy_new(MT_POLICY_TYPE_KIND, 0, kind, out, fault);
}

/* Whether the beginning of the pattern can be a kind of conversation. */
static bool some_kind(const char *pattern, size_t len)
{
    char start[NAME_MAX];

    memcpy(start, pattern, len);
    start[len] = '\0';
    for (int k = MT_CONVERSATION_SINGLE; k <= MT_CONVERSATION_ULTRA; k++) {
        const char *name = mt_conversation_kind_name((enum mt_conversation_kind)k);
        if (mt_str_glob(start, name, strlen(name), false))
            return true;
    }
    return false;
}

enum mt_rc mt_policy_in_conversation(const char *pattern, struct mt_policy **out,
                                     struct mt_fault *fault)
{
    const char *why = no_name(pattern);
    char whole[NAME_MAX + 8];

    *out = NULL;
    if (!why) {
        const char *colon = strchr(pattern, ':');
        bool bare = !colon && pattern[strspn(pattern, "*")] != '\0';
        snprintf(whole, sizeof whole, "%s%s", bare ? "single:" : "", pattern);
        if (colon && !some_kind(pattern, (size_t)(colon - pattern)))
            why = "has no kind that there is (single, group, room, system, ultra)";
        else if (colon && !colon[1])
            why = "names nobody";
        else if (strlen(whole) >= NAME_MAX)
            why = "is too long";
    }
    if (why)
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.in_conversation",
                            "in_conversation: '%.80s' %s: write one such as \"single:bob\" or "
                            "\"group:*\"",
                            pattern ? pattern : "", why);
    return mt_policy_new(MT_POLICY_TYPE_IN_CONVERSATION, 0, whole, out, fault);
}

enum mt_rc mt_policy_larger_than(int64_t bytes, struct mt_policy **out, struct mt_fault *fault)
{
    *out = NULL;
    if (bytes < 0)
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.larger_than",
                            "larger_than: a size is not negative: write one such as \"5MB\"");
    return mt_policy_new(MT_POLICY_TYPE_LARGER_THAN, bytes, NULL, out, fault);
}

enum mt_rc mt_policy_matches(const char *pattern, struct mt_policy **out, struct mt_fault *fault)
{
    size_t len = pattern ? strlen(pattern) : 0;

    *out = NULL;
    if (!len || len >= TEXT_MAX || !mt_str_utf8_valid(pattern, len))
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.matches",
                            "matches: a pattern is a text of 1 to %d bytes in UTF-8, such as "
                            "\"*invoice*\"",
                            TEXT_MAX - 1);
    return mt_policy_new(MT_POLICY_TYPE_MATCHES, 0, pattern, out, fault);
}

enum mt_rc mt_policy_pinned(struct mt_policy **out, struct mt_fault *fault)
{
    enum mt_rc rc = mt_policy_new(MT_POLICY_TYPE_PINNED, 0, NULL, out, fault);

    if (*out)
        (*out)->pinned = true;
    return rc;
}

enum mt_rc mt_policy_all(struct mt_policy **out, struct mt_fault *fault)
{
    return mt_policy_new(MT_POLICY_TYPE_ALL, 0, NULL, out, fault);
}

enum mt_rc mt_policy_newest(uint64_t n, struct mt_policy **out, struct mt_fault *fault)
{
    *out = NULL;
    if (n == 0)
        return mt_fault_set(fault, MT_ERR_INVALID, "policy.newest",
                            "newest: 0 messages are none: write how many");
    if (n > MT_POLICY_RANK_MAX)
        return mt_fault_set(fault, MT_ERR_LIMIT, "policy.newest",
                            "newest: at most %d messages of each conversation: for more, write "
                            "since or older_than",
                            MT_POLICY_RANK_MAX);
    enum mt_rc rc = mt_policy_new(MT_POLICY_TYPE_NEWEST, (int64_t)n, NULL, out, fault);
    if (*out) {
        (*out)->ranks[0] = n;
        (*out)->ranks_n = 1;
    }
    return rc;
}
