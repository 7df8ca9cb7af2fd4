/* Grants as they are written: in a list of words, and as a table. */
#include "script/script_int.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 300
#define KEYS_MAX 4

static const struct {
    const char *name;
    unsigned bit;
} names[] = {{"read", MT_GRANT_READ},     {"mark_read", MT_GRANT_MARK_READ},
             {"send", MT_GRANT_SEND},     {"organise", MT_GRANT_ORGANISE},
             {"delete", MT_GRANT_DELETE}, {"http", MT_GRANT_HTTP},
             {"files", MT_GRANT_FILES},   {"audit", MT_GRANT_AUDIT}};

#define NAMES_N (sizeof names / sizeof *names)

unsigned mt_grant_bit_of(const char *name)
{
    for (size_t i = 0; i < NAMES_N; i++) {
        if (!strcmp(names[i].name, name))
            return names[i].bit;
    }
    return 0;
}

void mt_grant_list_bits(unsigned bits, char *out, size_t cap)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < NAMES_N; i++) {
        if (bits & names[i].bit)
            at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? "," : "", names[i].name);
    }
}

struct mt_grant mt_grant_default(void)
{
    return (struct mt_grant){.what = MT_GRANT_READ | MT_GRANT_MARK_READ | MT_GRANT_SEND |
                                     MT_GRANT_FILES,
                             .delete_max = -1};
}

static enum mt_rc unknown(const char *name, struct mt_fault *fault)
{
    const char *known[NAMES_N];

    for (size_t i = 0; i < NAMES_N; i++)
        known[i] = names[i].name;
    const char *near = mt_str_nearest(name, known, NAMES_N);
    return mt_fault_set(fault, MT_ERR_INVALID, "grant.unknown",
                        "there is no grant '%.40s'%s%s%s; there are: read, mark_read, send, "
                        "organise, delete, http, files, audit",
                        name, near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* ---------------------------------------------------------------- one limit */

static enum mt_rc add_host(struct mt_grant *grant, const char *host, struct mt_fault *fault)
{
    if (!*host || strlen(host) >= sizeof grant->http_hosts[0] ||
        grant->http_hosts_n == MT_GRANT_HOSTS_MAX || strpbrk(host, "/@? "))
        return mt_fault_set(fault, MT_ERR_INVALID, "grant.host",
                            "http takes up to %d host names, each of 1 to %zu bytes, without "
                            "https:// and without a path",
                            MT_GRANT_HOSTS_MAX, sizeof grant->http_hosts[0] - 1);
    char *mine = grant->http_hosts[grant->http_hosts_n++];
    snprintf(mine, sizeof grant->http_hosts[0], "%s", host);
    (void)mt_str_fold(mine);
    return MT_OK;
}

static enum mt_rc add_to(struct mt_grant *grant, const char *pattern, struct mt_fault *fault)
{
    if (!strchr(pattern, ':') || strlen(pattern) >= sizeof grant->send_to[0] ||
        grant->send_to_n == MT_GRANT_TO_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "grant.limit",
                            "send takes up to %d addresses of conversations, each of at most %zu "
                            "bytes, such as single:bob or group:*",
                            MT_GRANT_TO_MAX, sizeof grant->send_to[0] - 1);
    snprintf(grant->send_to[grant->send_to_n++], sizeof grant->send_to[0], "%s", pattern);
    return MT_OK;
}

static const struct {
    char unit;
    int64_t ms;
} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};

#define UNITS_N (sizeof units / sizeof *units)

/* "200/h" */
static enum mt_rc add_rate(struct mt_grant *grant, const char *text, struct mt_fault *fault)
{
    const char *slash = strchr(text, '/');
    char number[24] = "";
    uint64_t n = 0;

    if (slash && (size_t)(slash - text) < sizeof number)
        memcpy(number, text, (size_t)(slash - text));
    for (size_t i = 0; slash && slash[1] && !slash[2] && i < UNITS_N; i++) {
        if (slash[1] != units[i].unit || !mt_str_u64(number, &n) || n > MT_GRANT_RATE_MAX ||
            grant->send_rates_n == MT_GRANT_RATES_MAX)
            continue;
        grant->send_rates[grant->send_rates_n++] = (struct mt_grant_rate){(int64_t)n, units[i].ms};
        return MT_OK;
    }
    return mt_fault_set(fault, MT_ERR_INVALID, "grant.limit",
                        "'%.40s' is no limit of send: a number up to %d and /s, /m, /h or /d, such "
                        "as 200/h, at most %d of them, or to= and an address",
                        text, MT_GRANT_RATE_MAX, MT_GRANT_RATES_MAX);
}

static enum mt_rc add_folder(struct mt_grant *grant, const char *folder, struct mt_fault *fault)
{
    if (!*folder || strlen(folder) >= sizeof grant->folders[0] ||
        grant->folders_n == MT_GRANT_FOLDERS_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "grant.limit",
                            "files takes up to %d folders, each of 1 to %zu bytes",
                            MT_GRANT_FOLDERS_MAX, sizeof grant->folders[0] - 1);
    snprintf(grant->folders[grant->folders_n++], sizeof grant->folders[0], "%s", folder);
    return MT_OK;
}

static enum mt_rc add_delete(struct mt_grant *grant, const char *limit, struct mt_fault *fault)
{
    uint64_t n = 0;

    if (!strcmp(limit, "archived")) {
        grant->require_archived = true;
        return MT_OK;
    }
    if (!mt_str_u64(limit, &n) || n > INT64_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "grant.limit",
                            "'%.40s' is no limit of delete: a number of messages, or archived",
                            limit);
    grant->delete_max = (int64_t)n;
    return MT_OK;
}

static enum mt_rc add_limit(struct mt_grant *grant, unsigned bit, const char *limit,
                            struct mt_fault *fault)
{
    switch (bit) {
    case MT_GRANT_HTTP:
        return add_host(grant, limit, fault);
    case MT_GRANT_DELETE:
        return add_delete(grant, limit, fault);
    case MT_GRANT_FILES:
        return add_folder(grant, limit, fault);
    case MT_GRANT_SEND:
        return mt_str_starts(limit, "to=") ? add_to(grant, limit + strlen("to="), fault)
                                           : add_rate(grant, limit, fault);
    default:
        return mt_fault_set(fault, MT_ERR_INVALID, "grant.limit",
                            "':%.40s': only delete takes a number of messages, send a rate or to=, "
                            "http a host, files a folder",
                            limit);
    }
}

/* ---------------------------------------------------------------- words */

/* "read", "delete:1000", "http:HOST", "send:200/h", "send:to=ADDRESS", "files:FOLDER". */
static enum mt_rc parse_word(const char *word, size_t len, struct mt_grant *out,
                             struct mt_fault *fault)
{
    char copy[WORD_MAX];

    if (len >= sizeof copy || memchr(word, '\0', len))
        return mt_fault_set(fault, MT_ERR_INVALID, "grant.unknown", "a grant's name is short");
    memcpy(copy, word, len);
    copy[len] = '\0';
    char *limit = strchr(copy, ':');
    if (limit)
        *limit++ = '\0';
    unsigned bit = mt_grant_bit_of(copy);
    if (!bit)
        return unknown(copy, fault);
    out->what |= bit;
    return limit ? add_limit(out, bit, limit, fault) : MT_OK;
}

enum mt_rc mt_grant_parse(const char *list, struct mt_grant *out, struct mt_fault *fault)
{
    *out = (struct mt_grant){.delete_max = -1};
    while (*list) {
        size_t len = strcspn(list, ",");
        enum mt_rc rc = len ? parse_word(list, len, out, fault) : MT_OK;
        if (rc)
            return rc;
        list += len + (list[len] == ',');
    }
    return MT_OK;
}

/* ---------------------------------------------------------------- tables */

typedef enum mt_rc add_fn(struct mt_grant *grant, const char *text, struct mt_fault *fault);

/* A text, or a list of at least one, on top of the stack. An empty list must not mean anything. */
static void take_texts(lua_State *L, const char *what, struct mt_grant *out, add_fn *add)
{
    struct mt_fault fault;
    size_t len = 0;

    if (lua_type(L, -1) == LUA_TSTRING) {
        const char *text = lua_tolstring(L, -1, &len);
        if (strlen(text) == len && !add(out, text, &fault))
            return;
        mt_fault_raise(L, &fault);
    }
    lua_Integer n = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : 0;
    if (!n)
        mt_fault_raisef(L, MT_ERR_INVALID, "grant.limit",
                        "%s is a text or a list of texts that is not empty", what);
    luaL_checkstack(L, 4, "grant");
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, -1, i) != LUA_TSTRING)
            mt_fault_raisef(L, MT_ERR_INVALID, "grant.limit", "%s: number %lld is no text", what,
                            (long long)i);
        const char *text = lua_tolstring(L, -1, &len);
        if (strlen(text) != len)
            mt_fault_raisef(L, MT_ERR_INVALID, "grant.limit", "%s: number %lld has a NUL in it",
                            what, (long long)i);
        if (add(out, text, &fault))
            mt_fault_raise(L, &fault);
        lua_pop(L, 1);
    }
}

static void check_keys(lua_State *L, const char *what, const char *const known[KEYS_MAX])
{
    size_t n = 0;

    while (n < KEYS_MAX && known[n])
        n++;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(a number)";
        bool found = false;
        for (size_t i = 0; i < n; i++)
            found = found || !strcmp(known[i], key);
        if (!found)
            mt_fault_raisef(L, MT_ERR_INVALID, "grant.limit", "%s takes %s and %s, not %.40s", what,
                            known[0], known[1], key);
    }
}

/* { max_per_run = N, require = "archived" } */
static void take_delete(lua_State *L, struct mt_grant *out)
{
    static const char *const keys[KEYS_MAX] = {"max_per_run", "require"};
    int is_number = 0;

    check_keys(L, "delete", keys);
    if (lua_getfield(L, -1, "max_per_run") != LUA_TNIL) {
        out->delete_max = lua_tointegerx(L, -1, &is_number);
        if (!is_number || out->delete_max < 0)
            mt_fault_raisef(L, MT_ERR_INVALID, "grant.limit", "max_per_run is a number from 0 on");
    }
    if (lua_getfield(L, -2, "require") != LUA_TNIL) {
        const char *what = lua_tostring(L, -1);
        if (!what || strcmp(what, "archived") != 0)
            mt_fault_raisef(L, MT_ERR_INVALID, "grant.limit",
                            "delete can require \"archived\" only");
        out->require_archived = true;
    }
    lua_pop(L, 2);
}

/* { rate = "200/h" or { … }, to = "group:*" or { … } } */
static void take_send(lua_State *L, struct mt_grant *out)
{
    static const char *const keys[KEYS_MAX] = {"rate", "to"};

    check_keys(L, "send", keys);
    if (lua_getfield(L, -1, "rate") != LUA_TNIL)
        take_texts(L, "send's rate", out, add_rate);
    lua_pop(L, 1);
    if (lua_getfield(L, -1, "to") != LUA_TNIL)
        take_texts(L, "send's to", out, add_to);
    lua_pop(L, 1);
}

/* A table on top of the stack: what the grant is limited to. */
static void take_limits(lua_State *L, const char *name, unsigned bit, struct mt_grant *out)
{
    switch (bit) {
    case MT_GRANT_DELETE:
        take_delete(L, out);
        break;
    case MT_GRANT_SEND:
        take_send(L, out);
        break;
    case MT_GRANT_HTTP:
        take_texts(L, "http", out, add_host);
        break;
    case MT_GRANT_FILES:
        take_texts(L, "files", out, add_folder);
        break;
    default:
        mt_fault_raisef(L, MT_ERR_INVALID, "grant.limit",
                        "%s takes no limits: it is granted or not", name);
    }
}

void mt_grant_take(lua_State *L, int index, struct mt_grant *out)
{
    struct mt_fault fault;
    size_t len = 0;

    *out = (struct mt_grant){.delete_max = -1};
    if (lua_isnoneornil(L, index)) {
        out->what = MT_GRANT_READ;
        return;
    }
    luaL_checktype(L, index, LUA_TTABLE);
    luaL_checkstack(L, 8, "grant");
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        /* both { "read" } and { read = true } are said */
        if (lua_type(L, -2) == LUA_TNUMBER) {
            const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : "";
            if (parse_word(word, len, out, &fault))
                mt_fault_raise(L, &fault);
            continue;
        }
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
        unsigned bit = mt_grant_bit_of(name);
        if (!bit) {
            (void)unknown(name, &fault);
            mt_fault_raise(L, &fault);
        }
        if (lua_toboolean(L, -1))
            out->what |= bit;
        if (lua_istable(L, -1))
            take_limits(L, name, bit, out);
        else if (!lua_isboolean(L, -1))
            mt_fault_raisef(L, MT_ERR_INVALID, "grant.limit",
                            "%s = true grants it, and a table says within which limits", name);
    }
}

/* ---------------------------------------------------------------- one text for each */

static void write_rate(struct mt_buf *out, const struct mt_grant_rate *rate)
{
    for (size_t i = 0; i < UNITS_N; i++) {
        if (units[i].ms == rate->per_ms)
            (void)mt_buf_appendf(out, "%lld/%c", (long long)rate->n, units[i].unit);
    }
}

static void begin(struct mt_buf *out, const char *word)
{
    (void)mt_buf_appendf(out, "%s%s", out->len ? "," : "", word);
}

static void write_limits(const struct mt_grant *grant, unsigned bit, struct mt_buf *out)
{
    if (bit == MT_GRANT_DELETE && grant->delete_max >= 0)
        (void)mt_buf_appendf(out, ":%lld", (long long)grant->delete_max);
    if (bit == MT_GRANT_DELETE && grant->require_archived)
        begin(out, "delete:archived");
    for (size_t i = 0; bit == MT_GRANT_SEND && i < grant->send_rates_n; i++) {
        begin(out, "send:");
        write_rate(out, &grant->send_rates[i]);
    }
    for (size_t i = 0; bit == MT_GRANT_SEND && i < grant->send_to_n; i++)
        (void)mt_buf_appendf(out, ",send:to=%s", grant->send_to[i]);
    for (size_t i = 0; bit == MT_GRANT_HTTP && i < grant->http_hosts_n; i++)
        (void)mt_buf_appendf(out, ",http:%s", grant->http_hosts[i]);
    for (size_t i = 0; bit == MT_GRANT_FILES && i < grant->folders_n; i++)
        (void)mt_buf_appendf(out, ",files:%s", grant->folders[i]);
}

enum mt_rc mt_grant_write(const struct mt_grant *grant, struct mt_buf *out)
{
    for (size_t i = 0; i < NAMES_N; i++) {
        if (!(grant->what & names[i].bit))
            continue;
        begin(out, names[i].name);
        write_limits(grant, names[i].bit, out);
    }
    return out->failed;
}
