/* Reading the list of holds. Every slip is a fault: what is misspelt holds nothing, and what should
 * have been held is then deleted. */
#include "policy/hold.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/time.h"
#include "policy/hold_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARENA_MAX     (4 * MT_HOLD_FILE_MAX)
#define HOLD_LINE_MAX 8192
#define HOLD_ID_MAX   64
#define TEXT_MAX      255 /* accounts, persons, conversations */
#define REASON_MAX    1000

enum key { ID, REASON, ACCOUNT, CONVERSATION, PERSON, SINCE, UNTIL, EVERYTHING, KEYS_N };
static const char *const key_names[KEYS_N] = {
    [ID] = "id",           [REASON] = "reason",
    [ACCOUNT] = "account", [CONVERSATION] = "conversation",
    [PERSON] = "person",   [SINCE] = "since",
    [UNTIL] = "until",     [EVERYTHING] = "everything",
};

struct reading {
    struct mt_holds *holds;
    struct mt_map *ids;
    const char *name; /* of the file, for people */
    size_t line_n;
    const struct mt_json *values[KEYS_N];
    struct mt_fault *fault;
};

MT_PRINTF(2, 3) static enum mt_rc bad(const struct reading *r, const char *fmt, ...)
{
    char what[MT_FAULT_MESSAGE_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return mt_fault_set(r->fault, MT_ERR_INVALID, "hold.syntax", "%.60s line %zu: %s", r->name,
                        r->line_n, what);
}

static enum mt_rc nomem(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

/* ---------------------------------------------------------------- one line */

static enum mt_rc unknown_key(const struct reading *r, const char *name)
{
    char word[32];

    snprintf(word, sizeof word, "%s", name);
    mt_str_fold(word);
    const char *near = mt_str_nearest(word, key_names, KEYS_N);
    return bad(r, "a hold has no '%.30s'%s%s%s", name, near ? ": did you mean '" : "",
               near ? near : "", near ? "'?" : "");
}

static enum mt_rc take_keys(struct reading *r, const struct mt_json *object)
{
    memset(r->values, 0, sizeof r->values);
    for (const struct mt_json *m = mt_json_child(object); m; m = mt_json_next(m)) {
        size_t k = 0;
        while (k < KEYS_N && strcmp(key_names[k], mt_json_key(m)) != 0)
            k++;
        if (k == KEYS_N)
            return unknown_key(r, mt_json_key(m));
        if (r->values[k])
            return bad(r, "'%s' stands there twice", key_names[k]);
        r->values[k] = m;
    }
    return MT_OK;
}

/* A text that means what it seems to mean: what could not be read as it was written, and what
 * cannot be seen, would be compared with ids in vain. */
static enum mt_rc take_text(const struct reading *r, enum key key, size_t max, const char **out)
{
    const struct mt_json *value = r->values[key];
    const char *text = mt_json_type(value) == MT_JSON_STRING ? mt_json_str(value) : NULL;
    size_t len = text ? strlen(text) : 0;

    *out = NULL;
    if (!value)
        return MT_OK;
    if (!text)
        return bad(r, "'%s' must be a text", key_names[key]);
    if (!len)
        return bad(r, "'%s' is empty: leave it out, or say what is held", key_names[key]);
    if (len > max)
        return bad(r, "'%s' is longer than %zu bytes", key_names[key], max);
    if (!mt_str_utf8_valid(text, len) || strstr(text, "\xEF\xBF\xBD"))
        return bad(r, "'%s' is not valid UTF-8", key_names[key]);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return bad(r, "'%s' has a control character", key_names[key]);
    if (text[0] == ' ' || text[len - 1] == ' ')
        return bad(r, "'%s' begins or ends with a blank", key_names[key]);
    *out = mt_arena_strndup(r->holds->arena, text, len);
    return *out ? MT_OK : nomem(r->fault);
}

static enum mt_rc take_name(const struct reading *r, enum key key, const char **out)
{
    enum mt_rc rc = take_text(r, key, TEXT_MAX, out);

    if (!rc && *out && strchr(*out, '*'))
        return bad(r, "'%s' is one name: * stands for others in 'conversation' only",
                   key_names[key]);
    return rc;
}

static enum mt_rc take_time(const struct reading *r, enum key key, int64_t *out)
{
    const char *text = NULL;
    enum mt_rc rc = take_text(r, key, TEXT_MAX, &text);

    *out = 0;
    if (rc || !text)
        return rc;
    if (mt_time_parse(text, out) || *out <= 0)
        return bad(r,
                   "'%s' must be a date or a time since 1970, as \"2026-01-31\" or "
                   "\"2026-01-31T12:00:00Z\"",
                   key_names[key]);
    return MT_OK;
}

/* Whether an address can begin as the pattern does. */
static bool can_match(const char *pattern)
{
    size_t len = strcspn(pattern, "*");

    for (int k = MT_CONVERSATION_SINGLE; k <= MT_CONVERSATION_ULTRA; k++) {
        char start[16];
        int n = snprintf(start, sizeof start,
                         "%s:", mt_conversation_kind_name((enum mt_conversation_kind)k));
        if (!strncmp(start, pattern, len < (size_t)n ? len : (size_t)n))
            return true;
    }
    return false;
}

static enum mt_rc take_conversation(const struct reading *r, struct mt_hold_entry *e)
{
    struct mt_conversation_ref ref;
    struct mt_fault why;
    char address[MT_CONVERSATION_ID_MAX];
    enum mt_rc rc = take_text(r, CONVERSATION, TEXT_MAX, &e->hold.conversation);
    const char *text = e->hold.conversation;

    if (rc || !text)
        return rc;
    if (strchr(text, '*')) {
        return can_match(text) ? MT_OK
                               : bad(r,
                                     "no conversation is like '%.60s': they begin with single:, "
                                     "group:, room:, system: or ultra:",
                                     text);
    }
    if (mt_conversation_ref_parse(text, &ref, &why))
        return bad(r, "%.150s", why.message);
    mt_conversation_ref_format(&ref, address); /* a bare id is that of a person */
    e->hold.conversation = mt_arena_strdup(r->holds->arena, address);
    return e->hold.conversation ? MT_OK : nomem(r->fault);
}

static enum mt_rc take_parts(const struct reading *r, struct mt_hold_entry *e)
{
    struct mt_hold *h = &e->hold;
    enum mt_rc rc = take_text(r, ID, HOLD_ID_MAX, &h->id);

    if (!rc && !h->id)
        rc = bad(r, "a hold needs an 'id'");
    if (!rc)
        rc = take_text(r, REASON, REASON_MAX, &h->reason);
    if (!rc)
        rc = take_name(r, ACCOUNT, &h->account);
    if (!rc)
        rc = take_name(r, PERSON, &h->person);
    if (!rc)
        rc = take_conversation(r, e);
    if (!rc)
        rc = take_time(r, SINCE, &h->since_ms);
    if (!rc)
        rc = take_time(r, UNTIL, &h->until_ms);
    if (!rc && h->until_ms && h->since_ms >= h->until_ms)
        rc = bad(r, "'until' is not after 'since': this holds nothing");
    return rc;
}

static enum mt_rc check_conditions(const struct reading *r, const struct mt_hold *h)
{
    bool any = h->account || h->person || h->conversation || h->since_ms || h->until_ms;

    if (!r->values[EVERYTHING])
        return any ? MT_OK
                   : bad(r, "it does not say what is held; \"everything\":true holds everything");
    if (!mt_json_bool(r->values[EVERYTHING], false))
        return bad(r, "'everything' can only be true");
    return any ? bad(r, "'everything' and another condition do not go together") : MT_OK;
}

static const char *folded(struct mt_arena *arena, const char *text, bool *short_of_memory)
{
    char *copy = text ? mt_arena_strdup(arena, text) : NULL;

    if (copy)
        mt_str_fold(copy);
    *short_of_memory = *short_of_memory || (text && !copy);
    return copy;
}

static enum mt_rc add_entry(const struct reading *r, struct mt_hold_entry *e)
{
    struct mt_holds *holds = r->holds;
    bool short_of_memory = false;

    if (mt_map_get(r->ids, e->hold.id))
        return bad(r, "there is a hold '%.64s' already", e->hold.id);
    e->account = folded(holds->arena, e->hold.account, &short_of_memory);
    e->conversation = folded(holds->arena, e->hold.conversation, &short_of_memory);
    e->person = folded(holds->arena, e->hold.person, &short_of_memory);
    if (short_of_memory || mt_map_put(r->ids, e->hold.id, holds))
        return nomem(r->fault);
    if (holds->n == MT_HOLDS_MAX)
        return mt_fault_set(r->fault, MT_ERR_LIMIT, "hold.size", "%.60s holds more than %d holds",
                            r->name, MT_HOLDS_MAX);
    if (holds->n == holds->cap) {
        size_t cap = holds->cap ? holds->cap * 2 : 64;
        struct mt_hold_entry *list = mt_mem_realloc(holds->list, cap * sizeof *list);
        if (!list)
            return nomem(r->fault);
        holds->list = list;
        holds->cap = cap;
    }
    holds->list[holds->n++] = *e;
    return MT_OK;
}

static enum mt_rc read_line(struct reading *r, const char *line, size_t len)
{
    struct mt_hold_entry e;
    struct mt_json *object = NULL;
    struct mt_fault why;
    enum mt_rc rc = MT_OK;

    memset(&e, 0, sizeof e);
    if (len > HOLD_LINE_MAX)
        return bad(r, "it is longer than %d bytes", HOLD_LINE_MAX);
    rc = mt_json_parse(line, len, HOLD_LINE_MAX, &object, &why);
    if (rc == MT_ERR_NOMEM)
        return nomem(r->fault);
    if (rc || mt_json_type(object) != MT_JSON_OBJECT)
        rc = bad(r, "it is no JSON object%s%.100s", rc ? ": " : "", rc ? why.message : "");
    if (!rc)
        rc = take_keys(r, object);
    if (!rc)
        rc = take_parts(r, &e);
    if (!rc)
        rc = check_conditions(r, &e.hold);
    if (!rc)
        rc = add_entry(r, &e);
    mt_json_free(object);
    return rc;
}

/* ---------------------------------------------------------------- the file */

static enum mt_rc read_lines(struct reading *r, const char *text, size_t len)
{
    enum mt_rc rc = MT_OK;
    bool says_something = false;

    if (len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) { /* some editors mark a text so */
        text += 3;
        len -= 3;
    }
    for (r->line_n = 1; len && !rc; r->line_n++) {
        const char *newline = memchr(text, '\n', len);
        size_t n = newline ? (size_t)(newline - text) : len;
        size_t used = newline ? n + 1 : n;
        size_t blank = 0;

        while (n && (text[n - 1] == '\r' || text[n - 1] == ' ' || text[n - 1] == '\t'))
            n--;
        while (blank < n && (text[blank] == ' ' || text[blank] == '\t'))
            blank++;
        says_something = says_something || n;
        if (blank < n && text[blank] != '#')
            rc = read_line(r, text, n);
        text += used;
        len -= used;
    }
    if (!rc && !says_something) /* as an editor leaves it that is just writing it */
        return mt_fault_set(r->fault, MT_ERR_INVALID, "hold.syntax",
                            "%.100s is empty: where nothing is held, say so in a line that begins "
                            "with #",
                            r->name);
    return rc;
}

static enum mt_rc parse(const char *name, const char *text, size_t len, struct mt_holds *holds,
                        struct mt_fault *fault)
{
    struct reading r = {.holds = holds, .name = name, .fault = fault};
    enum mt_rc rc = MT_OK;

    r.ids = mt_map_new();
    rc = r.ids ? read_lines(&r, text, len) : nomem(fault);
    mt_map_free(r.ids, NULL);
    return rc;
}

static struct mt_holds *make(size_t lists_n)
{
    struct mt_holds *holds = mt_mem_calloc(1, sizeof *holds);

    if (holds)
        holds->arena = mt_arena_new(ARENA_MAX * (lists_n ? lists_n : 1));
    if (holds && !holds->arena) {
        mt_mem_free(holds);
        return NULL;
    }
    return holds;
}

/* Whether all of it could be read: what it means is looked up from then on. */
static enum mt_rc finish(struct mt_holds *holds, enum mt_rc rc, struct mt_holds **out,
                         struct mt_fault *fault)
{
    if (!rc && mt_holds_index(holds))
        rc = nomem(fault);
    if (rc) {
        mt_holds_free(holds);
        return rc;
    }
    *out = holds;
    return MT_OK;
}

/* text NULL: there is no list. */
enum mt_rc mt_holds_parse(const char *name, const char *text, size_t len, struct mt_holds **out,
                          struct mt_fault *fault)
{
    struct mt_holds *holds = make(1);
    enum mt_rc rc = holds ? MT_OK : nomem(fault);

    *out = NULL;
    if (!rc && text)
        rc = parse(name, text, len, holds, fault);
    return finish(holds, rc, out, fault);
}

static enum mt_rc read_file(struct mt_holds *holds, const char *path, struct mt_fault *fault)
{
    const char *name = strrchr(path, '/');
    char *text = NULL;
    size_t len = 0;
    int err = mt_fs_read_all(path, MT_HOLD_FILE_MAX, &text, &len);

    name = name && name[1] ? name + 1 : path;
    if (err == ENOENT || err == ENOTDIR)
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "hold.missing",
                            "the list of holds %.120s is not there: nothing is deleted without it",
                            path);
    if (err == EFBIG)
        return mt_fault_set(fault, MT_ERR_LIMIT, "hold.size", "%.100s is larger than %zu MiB", name,
                            MT_HOLD_FILE_MAX >> 20);
    if (err)
        return mt_fs_fault(fault, err, "read", path);
    enum mt_rc rc = parse(name, text, len, holds, fault);
    mt_mem_free(text);
    return rc;
}

enum mt_rc mt_holds_read(const char *path, struct mt_holds **out, struct mt_fault *fault)
{
    struct mt_holds *holds = make(1);
    enum mt_rc rc = holds ? MT_OK : nomem(fault);

    *out = NULL;
    if (!rc && path)
        rc = read_file(holds, path, fault);
    return finish(holds, rc, out, fault);
}

/* ---------------------------------------------------------------- several lists */

enum mt_rc mt_hold_lists_add(struct mt_hold_lists *lists, const char *path)
{
    for (size_t i = 0; path && i < lists->n; i++)
        if (!strcmp(lists->paths[i], path))
            return MT_OK;
    if (!path)
        return MT_OK;
    if (lists->n == MT_HOLD_LISTS_MAX)
        return MT_ERR_LIMIT;
    lists->paths[lists->n] = mt_mem_strdup(path);
    if (!lists->paths[lists->n])
        return MT_ERR_NOMEM;
    lists->n++;
    return MT_OK;
}

void mt_hold_lists_clear(struct mt_hold_lists *lists)
{
    for (size_t i = 0; i < lists->n; i++)
        mt_mem_free(lists->paths[i]);
    lists->n = 0;
}

enum mt_rc mt_holds_read_all(const struct mt_hold_lists *lists, struct mt_holds **out,
                             struct mt_fault *fault)
{
    struct mt_holds *holds = make(lists->n);
    enum mt_rc rc = holds ? MT_OK : nomem(fault);

    *out = NULL;
    for (size_t i = 0; i < lists->n && !rc; i++)
        rc = read_file(holds, lists->paths[i], fault);
    return finish(holds, rc, out, fault);
}

void mt_holds_free(struct mt_holds *holds)
{
    if (!holds)
        return;
    mt_arena_free(holds->arena);
    mt_mem_free(holds->list);
    mt_mem_free(holds->table);
    mt_mem_free(holds);
}

size_t mt_holds_n(const struct mt_holds *holds)
{
    return holds ? holds->n : 0;
}
