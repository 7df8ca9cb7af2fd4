/* env "NAME" and file "PATH" of the configuration: secrets that Lua cannot look into. */
#include "script/config_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/secret.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define SECRET_MAX_BYTES (64u << 10)
#define SECRET_TYPE      "moontide.config.secret"

/* A file is read when something wants it as a secret: a list of users needs not be one. */
struct secret_box {
    struct mt_secret *secret; /* NULL: a file that was not read yet, or nothing is there */
    char *path;               /* of a file */
    char missing[128];        /* the variable, when there is none */
};

static int box_gc(lua_State *L)
{
    struct secret_box *box = luaL_checkudata(L, 1, SECRET_TYPE);

    mt_secret_free(box->secret);
    mt_mem_free(box->path);
    box->secret = NULL;
    box->path = NULL;
    return 0;
}

void mt_config_secret_type(lua_State *L)
{
    luaL_newmetatable(L, SECRET_TYPE);
    lua_pushcfunction(L, box_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushstring(L, "secret");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

static struct secret_box *box_new(lua_State *L)
{
    struct secret_box *box = lua_newuserdatauv(L, sizeof *box, 0);

    memset(box, 0, sizeof *box);
    luaL_setmetatable(L, SECRET_TYPE);
    return box;
}

int mt_config_word_env(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct secret_box *box = box_new(L);

    if (mt_secret_env(name, &box->secret))
        return luaL_error(L, "out of memory");
    if (!box->secret)
        snprintf(box->missing, sizeof box->missing, "%s", name);
    return 1;
}

int mt_config_word_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct secret_box *box = box_new(L);

    box->path = mt_mem_strdup(path);
    return box->path ? 1 : luaL_error(L, "out of memory");
}

const char *mt_config_file_at(lua_State *L, int index)
{
    const struct secret_box *box = luaL_testudata(L, index, SECRET_TYPE);

    return box ? box->path : NULL;
}

/* lua_pushfstring knows no octal numbers. */
static const char *octal(uint32_t mode, char out[8])
{
    snprintf(out, 8, "%04o", (unsigned)mode & 0777);
    return out;
}

static void remember_file(lua_State *L, const char *path)
{
    struct mt_config *config = mt_config_builder(L);

    if (config->secret_files_n == MT_CONFIG_SECRET_FILES_MAX)
        luaL_error(L, "more than %d secret files", MT_CONFIG_SECRET_FILES_MAX);
    config->secret_files[config->secret_files_n] = mt_mem_strdup(path);
    if (!config->secret_files[config->secret_files_n])
        luaL_error(L, "out of memory");
    config->secret_files_n++;
}

/* What is looked at is what is read, wherever a link leads: mounted secrets are links. */
static int read_owned(const char *path, struct mt_fs_stat *st, char *text, size_t *len)
{
    int fd = -1;
    size_t got = 1;
    int err = mt_fs_open(path, MT_FS_READ, &fd);

    *len = 0;
    if (err)
        return err;
    err = mt_fs_stat_fd(fd, st);
    while (!err && got && !(st->mode & 077) && *len <= SECRET_MAX_BYTES) {
        err = mt_fs_read(fd, text + *len, SECRET_MAX_BYTES + 1 - *len, &got);
        *len += err ? 0 : got;
    }
    mt_fs_close(fd);
    return !err && *len > SECRET_MAX_BYTES ? EFBIG : err;
}

static struct mt_secret *secret_of(char *text, size_t len)
{
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' '))
        len--;
    return mt_secret_new(text, len);
}

static void read_file(lua_State *L, struct secret_box *box)
{
    struct mt_fs_stat st = {.mode = 0};
    struct mt_fault fault;
    char mode[8];
    size_t len = 0;
    char *text = mt_mem_alloc(SECRET_MAX_BYTES + 1);

    if (!text) {
        luaL_error(L, "out of memory");
        return;
    }
    int err = read_owned(box->path, &st, text, &len);
    if (!err && !(st.mode & 077))
        box->secret = secret_of(text, len);
    explicit_bzero(text, len);
    mt_mem_free(text);
    if (err) {
        mt_fs_fault(&fault, err, "read", box->path);
        luaL_error(L, "%s", fault.message);
    }
    if (st.mode & 077)
        luaL_error(
            L, "secret_exposed: the secret file %s may be read by others (mode %s): chmod 600 it",
            box->path, octal(st.mode, mode));
    if (!box->secret)
        luaL_error(L, "out of memory");
    remember_file(L, box->path);
}

static struct mt_secret *literal(lua_State *L, const struct mt_config_account *a, const char *key)
{
    const struct mt_config *config = mt_config_builder(L);
    size_t len = 0;
    const char *s = lua_tolstring(L, -1, &len);
    char mode[8];

    if (config->mode & 077)
        luaL_error(L,
                   "secret_exposed: %s '%s': %s is written in %s, which others may read (mode %s): "
                   "chmod 600 it, or use env, file or command",
                   a->noun, a->name, key, config->path, octal(config->mode, mode));
    return mt_secret_new(s, len);
}

void mt_config_take_secret(lua_State *L, struct mt_config_account *a, const char *key,
                           struct mt_secret **out, char **missing)
{
    if (lua_getfield(L, 2, key) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (mt_config_take_command(L, a, key)) {
        lua_pop(L, 1);
        return;
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        *out = literal(L, a, key);
    } else {
        struct secret_box *box = luaL_testudata(L, -1, SECRET_TYPE);
        if (!box) {
            luaL_error(L,
                       "%s '%s': %s must be env \"NAME\", file \"PATH\", command \"…\" or a string",
                       a->noun, a->name, key);
            return;
        }
        if (!box->secret && box->path)
            read_file(L, box);
        if (!box->secret) {
            mt_mem_free(*missing);
            *missing = mt_mem_strdup(box->missing);
            lua_pop(L, 1);
            return;
        }
        *out = mt_secret_new(mt_secret_bytes(box->secret), mt_secret_len(box->secret));
    }
    if (!*out)
        luaL_error(L, "out of memory");
    lua_pop(L, 1);
}
