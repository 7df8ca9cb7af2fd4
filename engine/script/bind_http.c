/* moontide.http: requests to other servers. What stands around it is lua/moontide/http.lua. */
#include "script/script_int.h"

#include "base/mem.h"
#include "base/secret.h"
#include "http/http.h"

#include <stdio.h>
#include <string.h>

#define HEADERS_MAX  32
#define HEADER_MAX   2048
#define HOST_MAX     254
#define TIMEOUT_MS   30000
#define RESPONSE_MAX ((int64_t)4 << 20)

struct http_wait {
    struct mt_wait wait;
    struct mt_http_call *call;
    struct mt_secret *bearer; /* lives until the answer */
    int status;
    char *body;
    size_t body_len;
    char content_type[128];
};

static void http_release(struct mt_wait *wait)
{
    struct http_wait *w = (struct http_wait *)wait;

    mt_mem_free(w->body);
    mt_secret_free(w->bearer);
    w->body = NULL;
    w->bearer = NULL;
}

static void http_cancel(struct mt_wait *wait)
{
    struct http_wait *w = (struct http_wait *)wait;

    if (w->call)
        mt_http_cancel(w->call);
}

static void answered(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                     const struct mt_fault *fault)
{
    struct http_wait *w = ud;
    struct mt_fault memory;

    w->call = NULL;
    if (!rc) {
        w->status = response->status;
        snprintf(w->content_type, sizeof w->content_type, "%s", response->content_type);
        w->body = mt_mem_strndup(response->body, response->body_len);
        w->body_len = response->body_len;
        if (!w->body) {
            rc = mt_fault_set(&memory, MT_ERR_NOMEM, "memory", "out of memory");
            fault = &memory;
        }
    }
    mt_wait_wake(&w->wait, rc, fault);
}

/* ---------------------------------------------------------------- what may be asked for */

static bool host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '[' || c == ']' || c == ':';
}

/* Up to the path, in lower case. False: something else than a host and a port stands there. */
static bool take_host(const char *at, char out[HOST_MAX])
{
    size_t n = 0;

    for (; *at && !strchr("/?#", *at); at++) {
        if (!host_char(*at) || n + 1 == HOST_MAX)
            return false;
        out[n++] = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
    }
    out[n] = '\0';
    char *port = out[0] == '[' ? strchr(out, ']') : strchr(out, ':');
    if (port && *port == ']')
        port++;
    if (port && *port && *port != ':')
        return false;
    if (port)
        *port = '\0';
    return out[0] != '\0';
}

/* The host of a URL. Stricter than a URL may be: nobody shall read another host out of it than the
 * one that the grant is checked for. */
static void host_of(lua_State *L, const char *url, size_t len, char out[HOST_MAX])
{
    size_t skip = !strncmp(url, "https://", 8) ? 8 : !strncmp(url, "http://", 7) ? 7 : 0;

    if (!skip || strlen(url) != len || strpbrk(url, "\\ \t\r\n") || !take_host(url + skip, out))
        mt_fault_raisef(L, MT_ERR_INVALID, "http.url",
                        "moontide.http: '%.100s' is no URL: it begins with https:// (http:// to "
                        "this machine only), and has no user name",
                        url);
}

static bool token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return len > 0;
}

static bool taken(const char *name)
{
    static const char *const names[] = {"host",       "content-length", "transfer-encoding",
                                        "connection", "expect",         "authorization"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcasecmp(names[i], name))
            return true;
    }
    return false;
}

/* headers = { Name = "value" } as "Name: value" strings that stay on the stack. */
static void take_headers(lua_State *L, int index, const char *out[HEADERS_MAX + 1])
{
    size_t n = 0;

    out[0] = NULL;
    if (lua_getfield(L, index, "headers") == LUA_TNIL)
        return;
    luaL_checktype(L, -1, LUA_TTABLE);
    int headers = lua_gettop(L);
    luaL_checkstack(L, HEADERS_MAX + 8, "headers");
    lua_pushnil(L);
    while (lua_next(L, headers)) {
        size_t name_len = 0;
        size_t value_len = 0;
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &name_len) : "";
        const char *value =
            lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &value_len) : NULL;
        if (!value || !token(name, name_len) || taken(name) || strlen(value) != value_len ||
            strpbrk(value, "\r\n") || value_len > HEADER_MAX || n == HEADERS_MAX)
            mt_fault_raisef(L, MT_ERR_INVALID, "http.header",
                            "moontide.http: the header '%.60s' cannot be sent%s", name,
                            strcasecmp(name, "authorization") ? "" : ": use bearer");
        out[n++] = lua_pushfstring(L, "%s: %s", name, value);
        out[n] = NULL;
        lua_rotate(L, headers, 1); /* below the table, where it stays alive */
        headers++;
        lua_pop(L, 1);
    }
}

static int http_more(lua_State *L, int status, lua_KContext ctx)
{
    struct http_wait *w = (struct http_wait *)ctx;

    (void)status;
    mt_wait_check(L, &w->wait);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, w->status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, w->body, w->body_len);
    lua_setfield(L, -2, "body");
    lua_pushstring(L, w->content_type);
    lua_setfield(L, -2, "content_type");
    http_release(&w->wait);
    return 1;
}

/* http_request{…}: {status, body, content_type}. */
static int core_http_request(lua_State *L)
{
    const struct mt_script_host *host = mt_script_of(L)->host;
    const char *headers[HEADERS_MAX + 1];
    struct mt_http_request request;
    struct mt_http *http = NULL;
    struct mt_fault fault;
    char name[HOST_MAX];
    size_t len = 0;

    lua_settop(L, 1);
    mt_options_check(L, 1, "moontide.http.request");
    memset(&request, 0, sizeof request);
    lua_getfield(L, 1, "url");
    request.url = luaL_checklstring(L, -1, &len);
    host_of(L, request.url, len, name);
    request.public_only = !mt_grant_check_host(L, name, "moontide.http");
    request.method = mt_option_string(L, 1, "method", "GET");
    take_headers(L, 1, headers);
    request.headers = headers;
    if (lua_getfield(L, 1, "body") == LUA_TSTRING)
        request.body = lua_tolstring(L, -1, &request.body_len);
    request.of_script = true;
    request.deadline_ms = mt_option_duration(L, 1, "timeout", TIMEOUT_MS);
    request.attempt_ms = request.deadline_ms;
    request.max_response_bytes = (size_t)mt_option_integer(L, 1, "max_bytes", RESPONSE_MAX);
    request.retry = strcmp(request.method, "GET") ? MT_HTTP_RETRY_NEVER : MT_HTTP_RETRY_SAFE;
    mt_task_may_wait(L);
    if (!host->http)
        return mt_fault_raisef(L, MT_ERR_UNSUPPORTED, "unsupported", "there is no HTTP here");
    if (host->http(host->ud, &http, &fault))
        return mt_fault_raise(L, &fault);
    struct http_wait *w = mt_wait_new(L, sizeof *w, http_release);
    w->wait.cancel = http_cancel;
    const char *bearer = mt_option_string(L, 1, "bearer", NULL);
    if (bearer) {
        w->bearer = mt_secret_new(bearer, strlen(bearer));
        if (!w->bearer)
            return mt_fault_raisef(L, MT_ERR_NOMEM, "memory", "out of memory");
    }
    request.bearer = w->bearer;
    if (mt_http_start(http, &request, answered, w, &w->call, &fault))
        return mt_fault_raise(L, &fault);
    return mt_task_wait(L, &w->wait, http_more);
}

void mt_bind_http(lua_State *L)
{
    static const luaL_Reg functions[] = {{"http_request", core_http_request}, {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
}
