/* Grants as they are kept: narrowed, checked at the verb, counted. */
#include "script/script_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/conversation.h"

#include <stdio.h>
#include <string.h>

#define SENT_FIRST 64

struct mt_grant_use {
    int64_t deleted_n; /* messages of this run */
    int64_t *sent_ms;  /* when the last messages were sent: a ring */
    size_t sent_n, sent_at, sent_cap;
};

struct mt_grant_use *mt_grant_use_new(void)
{
    return mt_mem_calloc(1, sizeof(struct mt_grant_use));
}

void mt_grant_use_free(struct mt_grant_use *use)
{
    if (use)
        mt_mem_free(use->sent_ms);
    mt_mem_free(use);
}

void mt_grant_use_run(struct mt_grant_use *use)
{
    use->deleted_n = 0;
}

/* ---------------------------------------------------------------- narrowing */

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

/* Whether one of the patterns means all that this one means. A * in it is taken by a * alone. */
static bool covers(const struct mt_grant *grant, const char *pattern)
{
    for (size_t i = 0; i < grant->send_to_n; i++) {
        if (mt_str_glob(grant->send_to[i], pattern, strlen(pattern), false))
            return true;
    }
    return !grant->send_to_n;
}

/* What the limits of both say. */
static enum mt_rc within(const struct mt_grant *grant, const struct mt_grant *to, const char *name,
                         struct mt_fault *fault)
{
    for (size_t i = 0; i < to->http_hosts_n; i++) {
        if (!has_host(grant, to->http_hosts[i]))
            return mt_fault_set(fault, MT_ERR_DENIED, "grant.missing",
                                "%s needs what it was not granted: http:%s", name,
                                to->http_hosts[i]);
    }
    for (size_t i = 0; i < to->send_to_n; i++) {
        if (!covers(grant, to->send_to[i]))
            return mt_fault_set(fault, MT_ERR_DENIED, "grant.missing",
                                "%s needs what it was not granted: send:to=%s", name,
                                to->send_to[i]);
    }
    if (to->folders_n)
        return mt_fault_set(fault, MT_ERR_INVALID, "grant.limit",
                            "%s: which folders files may lie in is said by whoever runs it, with "
                            "--grant or in the job",
                            name);
    if (grant->send_rates_n + to->send_rates_n > MT_GRANT_RATES_MAX)
        return mt_fault_set(fault, MT_ERR_LIMIT, "grant.limit",
                            "%s: more than %d limits of send together", name, MT_GRANT_RATES_MAX);
    return MT_OK;
}

enum mt_rc mt_grant_narrow(struct mt_grant *grant, const struct mt_grant *to, const char *name,
                           struct mt_fault *fault)
{
    char missing[120];
    char whole[120];
    unsigned lacks = to->what & ~grant->what;

    if (lacks) {
        mt_grant_list_bits(lacks, missing, sizeof missing);
        mt_grant_list_bits(to->what | grant->what, whole, sizeof whole);
        return mt_fault_set(fault, MT_ERR_DENIED, "grant.missing",
                            "%s needs what it was not granted: %s (--grant %s)", name, missing,
                            whole);
    }
    enum mt_rc rc = within(grant, to, name, fault);
    if (rc)
        return rc;
    struct mt_grant out = *to;
    if (grant->delete_max >= 0 && (out.delete_max < 0 || out.delete_max > grant->delete_max))
        out.delete_max = grant->delete_max;
    out.require_archived = out.require_archived || grant->require_archived;
    if (!out.http_hosts_n) {
        out.http_hosts_n = grant->http_hosts_n;
        memcpy(out.http_hosts, grant->http_hosts, sizeof out.http_hosts);
    }
    if (!out.send_to_n) {
        out.send_to_n = grant->send_to_n;
        memcpy(out.send_to, grant->send_to, sizeof out.send_to);
    }
    for (size_t i = 0; i < grant->send_rates_n; i++) /* both hold */
        out.send_rates[out.send_rates_n++] = grant->send_rates[i];
    out.folders_n = grant->folders_n;
    memcpy(out.folders, grant->folders, sizeof out.folders);
    *grant = out;
    return MT_OK;
}

/* ---------------------------------------------------------------- checks */

void mt_grant_check(lua_State *L, const char *what, const char *function)
{
    const struct mt_script *script = mt_script_of(L);
    char whole[120];

    if (mt_grant_bit_of(what) & script->grant.what)
        return;
    mt_grant_list_bits(script->grant.what | mt_grant_bit_of(what), whole, sizeof whole);
    mt_fault_raisef(L, MT_ERR_DENIED, "grant.denied",
                    "%s needs the grant '%s', which this script has not: --grant %s", function,
                    what, whole);
}

bool mt_grant_check_host(lua_State *L, const char *host, const char *function)
{
    mt_grant_check(L, "http", function);
    const struct mt_grant *grant = &mt_script_of(L)->grant;
    if (!has_host(grant, host))
        mt_fault_raisef(L, MT_ERR_DENIED, "grant.denied",
                        "%s: the host '%s' is not among those that this script was granted",
                        function, host);
    return grant->http_hosts_n > 0;
}

void mt_grant_check_path(lua_State *L, const char *path, const char *function)
{
    const struct mt_script *script = mt_script_of(L);
    const struct mt_script_host *host = script->host;

    mt_grant_check(L, "files", function);
    if (host->keeps && host->keeps(host->ud, path))
        mt_fault_raisef(L, MT_ERR_DENIED, "file.private",
                        "%s: %.200s belongs to moontide or to the system: no script is given it",
                        function, path);
    for (size_t i = 0; i < script->grant.folders_n; i++) {
        if (!mt_fs_beneath(script->grant.folders[i], path))
            return;
    }
    if (script->grant.folders_n)
        mt_fault_raisef(L, MT_ERR_DENIED, "grant.denied",
                        "%s: %.200s does not lie in %s%s, where this script may have files",
                        function, path, script->grant.folders[0],
                        script->grant.folders_n > 1 ? " or the other folders" : "");
}

/* ---------------------------------------------------------------- sending */

void mt_grant_check_to(lua_State *L, const struct mt_conversation_ref *to, const char *function)
{
    const struct mt_grant *grant = &mt_script_of(L)->grant;
    char address[MT_CONVERSATION_ID_MAX];

    mt_grant_check(L, "send", function);
    if (!grant->send_to_n)
        return;
    mt_conversation_ref_format(to, address);
    for (size_t i = 0; i < grant->send_to_n; i++) {
        if (mt_str_glob(grant->send_to[i], address, strlen(address), false))
            return;
    }
    mt_fault_raisef(L, MT_ERR_DENIED, "grant.denied",
                    "%s: %.150s is not among those that this script may send to", function,
                    address);
}

/* The i-th last, 1 being the last. */
static int64_t sent_before(const struct mt_grant_use *use, size_t i)
{
    return use->sent_ms[(use->sent_at + use->sent_cap - i) % use->sent_cap];
}

static bool grow(struct mt_grant_use *use, size_t most)
{
    size_t cap = use->sent_cap ? use->sent_cap * 2 : SENT_FIRST;

    if (cap > most)
        cap = most;
    int64_t *sent_ms = mt_mem_calloc(cap, sizeof *sent_ms);
    if (!sent_ms)
        return false;
    for (size_t i = use->sent_n; i > 0; i--)
        sent_ms[use->sent_n - i] = sent_before(use, i);
    mt_mem_free(use->sent_ms);
    use->sent_ms = sent_ms;
    use->sent_cap = cap;
    use->sent_at = use->sent_n % cap;
    return true;
}

/* Remembers as many as the largest limit counts. */
static bool note_sent(struct mt_grant_use *use, const struct mt_grant *grant, int64_t now_ms)
{
    size_t most = 0;

    for (size_t i = 0; i < grant->send_rates_n; i++) {
        if ((size_t)grant->send_rates[i].n > most)
            most = (size_t)grant->send_rates[i].n;
    }
    if (!most)
        return true;
    if (use->sent_n == use->sent_cap && use->sent_cap < most && !grow(use, most))
        return false;
    use->sent_ms[use->sent_at] = now_ms;
    use->sent_at = (use->sent_at + 1) % use->sent_cap;
    if (use->sent_n < use->sent_cap)
        use->sent_n++;
    return true;
}

void mt_grant_check_send(lua_State *L, const struct mt_conversation_ref *to, const char *function)
{
    struct mt_script *script = mt_script_of(L);
    struct mt_grant_use *use = mt_grant_use_of(script);
    int64_t now_ms = mt_clock_mono_ms();

    mt_grant_check_to(L, to, function);
    for (size_t i = 0; i < script->grant.send_rates_n; i++) {
        const struct mt_grant_rate *rate = &script->grant.send_rates[i];
        int64_t wait_ms = rate->per_ms;
        if (rate->n > 0 && (int64_t)use->sent_n < rate->n)
            continue;
        if (rate->n > 0)
            wait_ms = sent_before(use, (size_t)rate->n) + rate->per_ms - now_ms;
        if (wait_ms > 0)
            mt_fault_raisef(L, MT_ERR_DENIED, "grant.rate",
                            "%s: this script may send %lld messages in %lld s, and has: the next "
                            "one in %lld s",
                            function, (long long)rate->n, (long long)rate->per_ms / 1000,
                            (long long)(wait_ms + 999) / 1000);
    }
    if (!note_sent(use, &script->grant, now_ms))
        mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
}

/* ---------------------------------------------------------------- deleting */

void mt_grant_check_delete(lua_State *L, int64_t messages, const char *function)
{
    const struct mt_script *script = mt_script_of(L);
    struct mt_grant_use *use = mt_grant_use_of(script);
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
    if (grant->delete_max >= 0 && messages > grant->delete_max - use->deleted_n)
        mt_fault_raisef(L, MT_ERR_DENIED, "grant.max_per_run",
                        "%s: %lld messages would be more than the %lld that this script may delete "
                        "a run; %lld were deleted before",
                        function, (long long)messages, (long long)grant->delete_max,
                        (long long)use->deleted_n);
    if (messages > 0)
        use->deleted_n += messages;
}

uint64_t mt_grant_may_purge(lua_State *L, const char *function)
{
    const struct mt_script *script = mt_script_of(L);
    int64_t max = script->grant.delete_max;
    int64_t deleted_n = mt_grant_use_of(script)->deleted_n;

    mt_grant_check(L, "delete", function);
    if (!script->apply)
        mt_fault_raisef(L, MT_ERR_DENIED, "delete.dry_run",
                        "%s: nothing was deleted, this is a dry run: add --apply", function);
    if (max < 0)
        return UINT64_MAX;
    return max > deleted_n ? (uint64_t)(max - deleted_n) : 0;
}

void mt_grant_purged(const struct mt_script *script, uint64_t messages)
{
    mt_grant_use_of(script)->deleted_n += (int64_t)messages;
}

/* ---------------------------------------------------------------- what a grant is a risk of */

const char *mt_grant_remark(const struct mt_grant *grant, size_t i)
{
    static const struct {
        unsigned both;
        const char *text;
    } remarks[] = {
        {MT_GRANT_READ | MT_GRANT_HTTP,
         "it may read messages and send what it likes to other servers (read and http)"},
        {MT_GRANT_SEND | MT_GRANT_DELETE,
         "it may send messages and delete the traces of it (send and delete)"},
    };

    for (size_t at = 0; at < sizeof remarks / sizeof *remarks; at++) {
        if ((grant->what & remarks[at].both) == remarks[at].both && !i--)
            return remarks[at].text;
    }
    return NULL;
}

/* ---------------------------------------------------------------- methods under a grant */

struct mt_grant_use *mt_grant_use_of(const struct mt_script *script)
{
    return script->host->use ? script->host->use : script->use;
}

static int granted(lua_State *L)
{
    const struct mt_api_record *record = lua_touserdata(L, lua_upvalueindex(1));

    mt_grant_check(L, record->grant, record->name);
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

static const struct mt_api_record *record_of(const char *name)
{
    for (size_t i = 0; i < mt_api_records_n; i++) {
        if (mt_api_records[i].grant && !strcmp(mt_api_records[i].name, name))
            return &mt_api_records[i];
    }
    return NULL;
}

void mt_grant_push_function(lua_State *L, const char *name, lua_CFunction function)
{
    const struct mt_api_record *record = record_of(name);

    if (!record) {
        lua_pushcfunction(L, function);
        return;
    }
    lua_pushlightuserdata(L, (void *)record);
    lua_pushcfunction(L, function);
    lua_pushcclosure(L, granted, 2);
}

static int called(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx;
    return lua_gettop(L);
}

static int granted_lua(lua_State *L)
{
    const struct mt_api_record *record = lua_touserdata(L, lua_upvalueindex(1));

    mt_grant_check(L, record->grant, record->name);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, called);
    return called(L, LUA_OK, 0);
}

void mt_grant_wrap(lua_State *L, const char *name)
{
    const struct mt_api_record *record = record_of(name);

    if (!record)
        return;
    lua_pushlightuserdata(L, (void *)record);
    lua_insert(L, -2);
    lua_pushcclosure(L, granted_lua, 2);
}
