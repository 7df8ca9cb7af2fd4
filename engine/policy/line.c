/* Looking over a line of an archive: see line_int.h. */
#include "policy/line_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"

#include <string.h>

static const struct {
    const char *name;
    size_t len;
} names[MT_LINE_MEMBERS_N] = {
    [MT_LINE_V] = {"\"v\"", 3},           [MT_LINE_TYPE] = {"\"type\"", 6},
    [MT_LINE_ID] = {"\"id\"", 4},         [MT_LINE_TARGET] = {"\"target\"", 8},
    [MT_LINE_RAW] = {"\"raw\"", 5},       [MT_LINE_CONVERSATION] = {"\"conversation\"", 14},
    [MT_LINE_SINCE] = {"\"since\"", 7},   [MT_LINE_UNTIL] = {"\"until\"", 7},
    [MT_LINE_CLOSED] = {"\"closed\"", 8},
};

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* Behind the text that begins at a quote; NULL: it has no end. */
static const char *skip_text(const char *at, const char *end)
{
    const char *start = at + 1;

    for (at = start; at < end; at++) {
        at = memchr(at, '"', (size_t)(end - at));
        if (!at)
            return NULL;
        const char *back = at;
        while (back > start && back[-1] == '\\')
            back--;
        if (!((at - back) & 1))
            return at + 1;
    }
    return NULL;
}

/* Behind an object or a list. */
static const char *skip_nested(const char *at, const char *end)
{
    size_t depth = 0;

    while (at < end) {
        char c = *at;

        if (c == '"') {
            at = skip_text(at, end);
            if (!at)
                return NULL;
            continue;
        }
        at++;
        if (c == '{' || c == '[')
            depth++;
        if ((c == '}' || c == ']') && --depth == 0)
            return at;
    }
    return NULL;
}

static const char *skip_value(const char *at, const char *end)
{
    if (at < end && *at == '"')
        return skip_text(at, end);
    if (at < end && (*at == '{' || *at == '['))
        return skip_nested(at, end);
    const char *start = at;
    while (at < end && *at != ',' && *at != '}' && *at != ' ' && *at != '\t' && *at != '\r')
        at++;
    return at > start ? at : NULL;
}

static bool note(struct mt_line *line, const char *key, size_t key_len, const char *value,
                 size_t len)
{
    for (size_t k = 0; k < MT_LINE_MEMBERS_N; k++) {
        if (names[k].len != key_len || memcmp(names[k].name, key, key_len) != 0)
            continue;
        if (line->at[k].p)
            return false;
        line->at[k].p = value;
        line->at[k].len = len;
    }
    return true;
}

enum mt_rc mt_line_scan(const char *text, size_t len, struct mt_line *line)
{
    const char *end = text + len;
    const char *at = skip_blanks(text, end);

    memset(line, 0, sizeof *line);
    if (at == end || *at != '{')
        return MT_ERR_DAMAGED;
    do {
        const char *key = skip_blanks(at + 1, end);
        const char *key_end = key < end && *key == '"' ? skip_text(key, end) : NULL;

        at = key_end ? skip_blanks(key_end, end) : end;
        if (at == end || *at != ':')
            return MT_ERR_DAMAGED;
        const char *value = skip_blanks(at + 1, end);
        at = skip_value(value, end);
        if (!at || !note(line, key, (size_t)(key_end - key), value, (size_t)(at - value)))
            return MT_ERR_DAMAGED;
        at = skip_blanks(at, end);
    } while (at < end && *at == ',');
    if (at == end || *at != '}' || skip_blanks(at + 1, end) != end)
        return MT_ERR_DAMAGED;
    return MT_OK;
}

bool mt_line_is(const struct mt_line *line, enum mt_line_member member, const char *json)
{
    return line->at[member].p && line->at[member].len == strlen(json) &&
           !memcmp(line->at[member].p, json, line->at[member].len);
}

bool mt_line_i64(const struct mt_line *line, enum mt_line_member member, int64_t *out)
{
    char digits[24];
    size_t len = line->at[member].len;

    if (!line->at[member].p || len >= sizeof digits)
        return false;
    memcpy(digits, line->at[member].p, len);
    digits[len] = '\0';
    return mt_str_i64(digits, out);
}

enum mt_rc mt_line_text(const struct mt_line *line, enum mt_line_member member, const char **text,
                        size_t *len, char **owned)
{
    const char *p = line->at[member].p;
    struct mt_json *json = NULL;
    enum mt_rc rc = MT_OK;

    *text = NULL;
    *len = 0;
    *owned = NULL;
    if (!p || *p != '"')
        return MT_OK;
    *len = line->at[member].len - 2;
    if (!memchr(p, '\\', line->at[member].len)) {
        *text = p + 1;
        return MT_OK;
    }
    rc = mt_json_parse(p, line->at[member].len, line->at[member].len, &json, NULL);
    if (!rc && mt_json_str(json)) {
        *owned = mt_mem_strdup(mt_json_str(json));
        *text = *owned;
        *len = *owned ? strlen(*owned) : 0;
        rc = *owned ? MT_OK : MT_ERR_NOMEM;
    }
    mt_json_free(json);
    return rc == MT_ERR_NOMEM ? rc : MT_OK;
}
