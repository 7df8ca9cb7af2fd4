/* A line of an archive as the gate looks it over, beside the reader of JSON: what that takes for an
 * object with single members is scanned, and each member that the gate asks about is the same. */
#include "base/mem.h"
#include "codec/json.h"
#include "policy/line_int.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static const char *const names[MT_LINE_MEMBERS_N] = {
    [MT_LINE_V] = "v",           [MT_LINE_TYPE] = "type",   [MT_LINE_ID] = "id",
    [MT_LINE_TARGET] = "target", [MT_LINE_RAW] = "raw",     [MT_LINE_CONVERSATION] = "conversation",
    [MT_LINE_SINCE] = "since",   [MT_LINE_UNTIL] = "until", [MT_LINE_CLOSED] = "closed",
};

static unsigned count_of(const struct mt_json *object, const char *name)
{
    unsigned n = 0;

    for (const struct mt_json *m = mt_json_child(object); m; m = mt_json_next(m))
        n += !strcmp(mt_json_key(m), name);
    return n;
}

static void check_member(const struct mt_json *object, const struct mt_line *line,
                         enum mt_line_member k)
{
    const struct mt_json *member = mt_json_get(object, names[k]);
    const char *text = NULL;
    char *owned = NULL;
    size_t len = 0;
    int64_t number = 0;

    check(!mt_line_text(line, k, &text, &len, &owned));
    if (mt_json_type(member) == MT_JSON_STRING && line->at[k].p) {
        const char *want = mt_json_str(member);
        check(text && strlen(want) == len && !memcmp(want, text, len));
    }
    if (mt_line_i64(line, k, &number))
        check(mt_json_i64(member, number + 1) == number);
    mt_mem_free(owned);
}

/* Beside a line that JSON calls an object, with no member twice. */
static void check_object(const struct mt_json *object, const char *text, size_t size, enum mt_rc rc,
                         const struct mt_line *line)
{
    bool plain = !memchr(text, '\\', size); /* a name can be written with escapes too */

    if (plain)
        check(!rc);
    for (int k = 0; k < MT_LINE_MEMBERS_N && !rc; k++) {
        if (plain)
            check(!mt_json_get(object, names[k]) == !line->at[k].p);
        check_member(object, line, (enum mt_line_member)k);
    }
}

static bool has_twice(const struct mt_json *object)
{
    for (int k = 0; k < MT_LINE_MEMBERS_N; k++)
        if (count_of(object, names[k]) > 1)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_json *object = NULL;
    struct mt_line line;

    if (!size || size > TEXT_MAX || memchr(data, '\n', size))
        return 0;
    char *text = malloc(size); /* of exactly its length, so that reading behind it is seen */
    check(text != NULL);
    memcpy(text, data, size);
    enum mt_rc rc = mt_line_scan(text, size, &line);
    check(!rc || rc == MT_ERR_DAMAGED);
    for (int k = 0; k < MT_LINE_MEMBERS_N && !rc; k++)
        if (line.at[k].p)
            check(line.at[k].p > text && line.at[k].p + line.at[k].len < text + size);
    if (!mt_json_parse(text, size, TEXT_MAX, &object, NULL) &&
        mt_json_type(object) == MT_JSON_OBJECT && mt_json_count(object) > 0 && !has_twice(object))
        check_object(object, text, size, rc, &line);
    mt_json_free(object);
    free(text);
    return 0;
}
