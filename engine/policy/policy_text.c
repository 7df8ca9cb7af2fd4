/* A policy's words: its canonical text, which is Lua, and sizes. */
#include "policy/policy_int.h"

#include "base/buf.h"
#include "base/str.h"
#include "codec/time.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    int64_t bytes;
} units[] = {
    {"TB", INT64_C(1000000000000)},
    {"TiB", INT64_C(1) << 40},
    {"GB", 1000000000},
    {"GiB", INT64_C(1) << 30},
    {"MB", 1000000},
    {"MiB", INT64_C(1) << 20},
    {"kB", 1000},
    {"KiB", 1024},
    {"B", 1},
};
#define UNITS_N (sizeof units / sizeof *units)

enum mt_rc mt_policy_size_parse(const char *text, int64_t *bytes, struct mt_fault *fault)
{
    size_t digits = strspn(text, "0123456789");
    char number[24];
    int64_t n = 0;

    if (digits > 0 && digits < sizeof number) {
        memcpy(number, text, digits);
        number[digits] = '\0';
        for (size_t i = 0; i < UNITS_N && mt_str_i64(number, &n); i++)
            if ((!text[digits] || !strcasecmp(text + digits, units[i].name)) &&
                !__builtin_mul_overflow(n, text[digits] ? units[i].bytes : 1, bytes))
                return MT_OK;
    }
    return mt_fault_set(fault, MT_ERR_INVALID, "policy.larger_than",
                        "larger_than: '%.60s' is no size: write bytes, or a whole number with kB, "
                        "MB, GB, TB (10^3 and so on) or KiB, MiB, GiB, TiB (2^10 and so on)",
                        text);
}

static void write_size(struct mt_buf *out, int64_t bytes)
{
    for (size_t i = 0; bytes > 0 && i + 1 < UNITS_N; i++)
        if (bytes % units[i].bytes == 0) {
            mt_buf_appendf(out, "\"%lld%s\"", (long long)(bytes / units[i].bytes), units[i].name);
            return;
        }
    mt_buf_append_i64(out, bytes);
}

static void write_age(struct mt_buf *out, int64_t ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } parts[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

    mt_buf_append_str(out, ms ? "\"" : "\"0s");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (ms / parts[i].ms)
            mt_buf_appendf(out, "%lld%s", (long long)(ms / parts[i].ms), parts[i].name);
        ms %= parts[i].ms;
    }
    mt_buf_append_char(out, '"');
}

static void write_time(struct mt_buf *out, int64_t ms)
{
    char text[MT_TIME_RFC3339_LEN];

    mt_time_format(ms, text);
    mt_buf_appendf(out, "\"%s\"", text);
}

static void write_string(struct mt_buf *out, const char *s)
{
    mt_buf_append_char(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            mt_buf_append_char(out, '\\');
        if ((unsigned char)*s < 0x20 || *s == 0x7F)
            mt_buf_appendf(out, "\\%03d", *s);
        else
            mt_buf_append_char(out, *s);
    }
    mt_buf_append_char(out, '"');
}

static void write_condition(struct mt_buf *out, const struct mt_policy *c)
{
    static const char *const names[] = {
        [MT_POLICY_TYPE_OLDER_THAN] = "older_than",
        [MT_POLICY_TYPE_BEFORE] = "before",
        [MT_POLICY_TYPE_SINCE] = "since",
        [MT_POLICY_TYPE_FROM] = "from",
        [MT_POLICY_TYPE_KIND] = "kind",
        [MT_POLICY_TYPE_IN_CONVERSATION] = "in_conversation",
        [MT_POLICY_TYPE_LARGER_THAN] = "larger_than",
        [MT_POLICY_TYPE_MATCHES] = "matches",
        [MT_POLICY_TYPE_NEWEST] = "newest",
        [MT_POLICY_TYPE_PINNED] = "pinned",
        [MT_POLICY_TYPE_ALL] = "all",
    };

    mt_buf_append_str(out, names[c->type]);
    if (c->type == MT_POLICY_TYPE_PINNED || c->type == MT_POLICY_TYPE_ALL)
        return;
    mt_buf_append_char(out, '(');
    if (c->text)
        write_string(out, c->text);
    else if (c->type == MT_POLICY_TYPE_OLDER_THAN)
        write_age(out, c->n);
    else if (c->type == MT_POLICY_TYPE_LARGER_THAN)
        write_size(out, c->n);
    else if (c->type == MT_POLICY_TYPE_NEWEST)
        mt_buf_append_i64(out, c->n);
    else
        write_time(out, c->n);
    mt_buf_append_char(out, ')');
}

static void write_policy(struct mt_buf *out, const struct mt_policy *policy);

static void write_part(struct mt_buf *out, const struct mt_policy *part, bool bare)
{
    bare = bare || part->type < MT_POLICY_TYPE_OR;
    mt_buf_append_str(out, bare ? "" : "(");
    write_policy(out, part);
    mt_buf_append_str(out, bare ? "" : ")");
}

/* A list has no parentheses within, wherever it was joined; of a - b only the first side is part of
 * the list. */
static void write_policy(struct mt_buf *out, const struct mt_policy *policy)
{
    static const char *const signs[] = {" + ", " * ", " - "};
    enum mt_policy_type type = policy->type;

    if (type < MT_POLICY_TYPE_OR) {
        write_condition(out, policy);
        return;
    }
    write_part(out, policy->a, policy->a->type == type);
    mt_buf_append_str(out, signs[type - MT_POLICY_TYPE_OR]);
    write_part(out, policy->b, policy->b->type == type && type != MT_POLICY_TYPE_AND_NOT);
}

enum mt_rc mt_policy_write(const struct mt_policy *policy, struct mt_buf *out)
{
    write_policy(out, policy);
    return out->failed;
}
