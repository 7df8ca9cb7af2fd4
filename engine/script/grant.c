/* Grants: parsing, narrowing, and the checks. */
#include "script/grant.h"

#include "base/str.h"
#include "script/script_int.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned bit;
} names[] = {{"read", MT_GRANT_READ},     {"mark_read", MT_GRANT_MARK_READ},
             {"send", MT_GRANT_SEND},     {"organise", MT_GRANT_ORGANISE},
             {"delete", MT_GRANT_DELETE}, {"http", MT_GRANT_HTTP},
             {"files", MT_GRANT_FILES}};

#define NAMES_N (sizeof names / sizeof *names)

static unsigned bit_of(const char *name)
{
    for (size_t i = 0; i < NAMES_N; i++) {
        if (!strcmp(names[i].name, name))
            return names[i].bit;
    }
    return 0;
}

static enum mt_rc unknown(const char *name, struct mt_fault *fault)
{
    const char *known[NAMES_N];

    for (size_t i = 0; i < NAMES_N; i++)
        known[i] = names[i].name;
    const char *near = mt_str_nearest(name, known, NAMES_N);
    return mt_fault_set(fault, MT_ERR_INVALID, "grant.unknown",
                        "there is no grant '%.40s'%s%s%s; there are: read, mark_read, send, "
                        "organise, delete, http, files",
                        name, near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

struct mt_grant mt_grant_default(void)
{
    return (struct mt_grant){.what = MT_GRANT_READ | MT_GRANT_MARK_READ | MT_GRANT_SEND |
                                     MT_GRANT_FILES,
                             .delete_max = -1};
}

static enum mt_rc add_host(struct mt_grant *grant, const char *host, struct mt_fault *fault)
{
    if (!*host || strlen(host) >= sizeof grant->http_hosts[0] ||
        grant->http_hosts_n == MT_GRANT_HOSTS_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "grant.host",
                            "http takes up to %d host names, each of 1 to %zu bytes",
                            MT_GRANT_HOSTS_MAX, sizeof grant->http_hosts[0] - 1);
    snprintf(grant->http_hosts[grant->http_hosts_n++], sizeof grant->http_hosts[0], "%s", host);
    return MT_OK;
}

/* One of the list: "read", "delete:1000", "http:HOST". */
static enum mt_rc parse_one(char *word, struct mt_grant *out, struct mt_fault *fault)
{
    char *limit = strchr(word, ':');
    uint64_t n = 0;

    if (limit)
        *limit++ = '\0';
    unsigned bit = bit_of(word);
    if (!bit)
        return unknown(word, fault);
    out->what |= bit;
    if (!limit)
        return MT_OK;
    if (bit == MT_GRANT_HTTP)
        return add_host(out, limit, fault);
    if (bit != MT_GRANT_DELETE || !mt_str_u64(limit, &n) || n > INT64_MAX)
        return mt_fault_set(fault, MT_ERR_INVALID, "grant.limit",
                            "'%.40s:%.40s': only delete takes a number of messages, and http a "
                            "host",
                            word, limit);
    out->delete_max = (int64_t)n;
    return MT_OK;
}

enum mt_rc mt_grant_parse(const char *list, struct mt_grant *out, struct mt_fault *fault)
{
    char word[300];

    *out = (struct mt_grant){.delete_max = -1};
    while (*list) {
        size_t len = strcspn(list, ",");
        if (len >= sizeof word)
            return mt_fault_set(fault, MT_ERR_INVALID, "grant.unknown", "a grant's name is short");
        memcpy(word, list, len);
        word[len] = '\0';
        enum mt_rc rc = len ? parse_one(word, out, fault) : MT_OK;
        if (rc)
            return rc;
        list += len + (list[len] == ',');
    }
    return MT_OK;
}

/* ---------------------------------------------------------------- what a script declares */

/* A grant with limits of its own, on top of the stack: delete = { require = "archived", max_per_run
 * = N }, http = { "host", … }. */
static void take_limits(lua_State *L, unsigned bit, struct mt_grant *out)
{
    struct mt_fault fault;

    if (bit == MT_GRANT_HTTP) {
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
            if (add_host(out, lua_tostring(L, -1), &fault))
                mt_fault_raise(L, &fault);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
        return;
    }
    if (bit != MT_GRANT_DELETE)
        return;
    if (lua_getfield(L, -1, "max_per_run") != LUA_TNIL) {
        out->delete_max = luaL_checkinteger(L, -1);
        if (out->delete_max < 0)
            mt_fault_raisef(L, MT_ERR_INVALID, "grant.limit", "max_per_run is a number from 0 on");
    }
    if (lua_getfield(L, -2, "require") != LUA_TNIL) {
        if (strcmp(luaL_checkstring(L, -1), "archived") != 0)
            mt_fault_raisef(L, MT_ERR_INVALID, "grant.limit",
                            "delete can require \"archived\" only");
        out->require_archived = true;
    }
    lua_pop(L, 2);
}

void mt_grant_take(lua_State *L, int index, struct mt_grant *out)
{
    struct mt_fault fault;

    *out = (struct mt_grant){.delete_max = -1};
    if (lua_isnoneornil(L, index)) {
        out->what = MT_GRANT_READ;
        return;
    }
    luaL_checktype(L, index, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        /* both { "read" } and { read = true } are said */
        bool listed = lua_type(L, -2) == LUA_TNUMBER;
        const char *name = lua_type(L, -2) == LUA_TSTRING  ? lua_tostring(L, -2)
                           : listed && lua_isstring(L, -1) ? lua_tostring(L, -1)
                                                           : "";
        unsigned bit = bit_of(name);
        if (!bit) {
            (void)unknown(name, &fault);
            mt_fault_raise(L, &fault);
        }
        if (listed || lua_toboolean(L, -1))
            out->what |= bit;
        if (lua_istable(L, -1))
            take_limits(L, bit, out);
        lua_pop(L, 1);
    }
}

/* ---------------------------------------------------------------- narrowing */

static void list_bits(unsigned bits, char *out, size_t cap)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < NAMES_N; i++) {
        if (bits & names[i].bit)
            at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? "," : "", names[i].name);
    }
}

static bool has_host(const struct mt_grant *grant, const char *host)
{
    if (!grant->http_hosts_n)
        return true;
    for (size_t i = 0; i < grant->http_hosts_n; i++) {
        if (!strcmp(grant->http_hosts[i], host))
            return true;
    }
    return false;
}

enum mt_rc mt_grant_narrow(struct mt_grant *grant, const struct mt_grant *to, const char *name,
                           struct mt_fault *fault)
{
    char missing[120];
    char whole[120];
    unsigned lacks = to->what & ~grant->what;

    if (lacks) {
        list_bits(lacks, missing, sizeof missing);
        list_bits(to->what | grant->what, whole, sizeof whole);
        return mt_fault_set(fault, MT_ERR_DENIED, "grant.missing",
                            "%s needs what it was not granted: %s (--grant %s)", name, missing,
                            whole);
    }
    for (size_t i = 0; i < to->http_hosts_n; i++) {
        if (!has_host(grant, to->http_hosts[i]))
            return mt_fault_set(fault, MT_ERR_DENIED, "grant.missing",
                                "%s needs what it was not granted: http:%s", name,
                                to->http_hosts[i]);
    }
    struct mt_grant out = *to;
    if (grant->delete_max >= 0 && (out.delete_max < 0 || out.delete_max > grant->delete_max))
        out.delete_max = grant->delete_max;
    out.require_archived = out.require_archived || grant->require_archived;
    if (!out.http_hosts_n) {
        out.http_hosts_n = grant->http_hosts_n;
        memcpy(out.http_hosts, grant->http_hosts, sizeof out.http_hosts);
    }
    *grant = out;
    return MT_OK;
}

/* ---------------------------------------------------------------- checks */

void mt_grant_check(lua_State *L, const char *what, const char *function)
{
    const struct mt_script *script = mt_script_of(L);
    char whole[120];

    if (bit_of(what) & script->grant.what)
        return;
    list_bits(script->grant.what | bit_of(what), whole, sizeof whole);
    mt_fault_raisef(L, MT_ERR_DENIED, "grant.denied",
                    "%s needs the grant '%s', which this script has not: --grant %s", function,
                    what, whole);
}

void mt_grant_check_host(lua_State *L, const char *host, const char *function)
{
    mt_grant_check(L, "http", function);
    if (!has_host(&mt_script_of(L)->grant, host))
        mt_fault_raisef(L, MT_ERR_DENIED, "grant.denied",
                        "%s: the host '%s' is not among those that this script was granted",
                        function, host);
}

void mt_grant_check_path(lua_State *L, const char *path, const char *function)
{
    const struct mt_script_host *host = mt_script_of(L)->host;

    mt_grant_check(L, "files", function);
    if (host->keeps && host->keeps(host->ud, path))
        mt_fault_raisef(L, MT_ERR_DENIED, "file.private",
                        "%s: %.200s belongs to moontide or to the system: no script is given it",
                        function, path);
}

void mt_grant_check_delete(lua_State *L, int64_t messages, const char *function)
{
    struct mt_script *script = mt_script_of(L);
    const struct mt_grant *grant = &script->grant;

    mt_grant_check(L, "delete", function);
    if (grant->require_archived)
        mt_fault_raisef(L, MT_ERR_DENIED, "grant.archived",
                        "%s: this script may delete only what is archived and verified, through a "
                        "plan",
                        function);
    if (grant->delete_max >= 0 && messages < 0)
        mt_fault_raisef(L, MT_ERR_DENIED, "grant.uncounted",
                        "%s: nobody knows how many messages this deletes, and this script may "
                        "delete %lld a run: delete by ids",
                        function, (long long)grant->delete_max);
    if (!script->apply)
        mt_fault_raisef(L, MT_ERR_DENIED, "delete.dry_run",
                        "%s: nothing was deleted, this is a dry run: add --apply", function);
    if (grant->delete_max >= 0 && messages > grant->delete_max - script->deleted_n)
        mt_fault_raisef(L, MT_ERR_DENIED, "grant.max_per_run",
                        "%s: %lld messages would be more than the %lld that this script may delete "
                        "a run; %lld were deleted before",
                        function, (long long)messages, (long long)grant->delete_max,
                        (long long)script->deleted_n);
    if (messages > 0)
        script->deleted_n += messages;
}

/* ---------------------------------------------------------------- methods under a grant */

static int granted(lua_State *L)
{
    const struct mt_api_record *record = lua_touserdata(L, lua_upvalueindex(1));

    mt_grant_check(L, record->grant, record->name);
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

void mt_grant_push_function(lua_State *L, const char *name, lua_CFunction function)
{
    for (size_t i = 0; i < mt_api_records_n; i++) {
        if (mt_api_records[i].grant && !strcmp(mt_api_records[i].name, name)) {
            lua_pushlightuserdata(L, (void *)&mt_api_records[i]);
            lua_pushcfunction(L, function);
            lua_pushcclosure(L, granted, 2);
            return;
        }
    }
    lua_pushcfunction(L, function);
}
