/* env "NAME" and file "PATH" of the configuration: secrets that Lua cannot look into. */
#include "script/config_int.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/secret.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
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
    const char *value = getenv(name);
    struct secret_box *box = box_new(L);

    if (!value || !*value) {
        snprintf(box->missing, sizeof box->missing, "%s", name);
        return 1;
    }
    box->secret = mt_secret_new(value, strlen(value));
    return box->secret ? 1 : luaL_error(L, "out of memory");
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

static void read_file(lua_State *L, struct secret_box *box)
{
    struct mt_fs_stat st;
    struct mt_fault fault;
    char mode[8];
    char *text = NULL;
    size_t len = 0;
    int err = mt_fs_stat(box->path, &st);

    if (!err && (st.mode & 077))
        luaL_error(
            L, "secret_exposed: the secret file %s may be read by others (mode %s): chmod 600 it",
            box->path, octal(st.mode, mode));
    if (!err)
        err = mt_fs_read_all(box->path, SECRET_MAX_BYTES, &text, &len);
    if (err) {
        mt_fs_fault(&fault, err, "read", box->path);
        luaL_error(L, "%s", fault.message);
        return;
    }
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' '))
        len--;
    box->secret = mt_secret_new(text, len);
    explicit_bzero(text, len);
    mt_mem_free(text);
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
                   "chmod 600 it, or use env or file",
                   a->noun, a->name, key, config->path, octal(config->mode, mode));
    return mt_secret_new(s, len);
}

void mt_config_take_secret(lua_State *L, const struct mt_config_account *a, const char *key,
                           struct mt_secret **out, char **missing)
{
    if (lua_getfield(L, 2, key) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        *out = literal(L, a, key);
    } else {
        struct secret_box *box = luaL_testudata(L, -1, SECRET_TYPE);
        if (!box) {
            luaL_error(L, "%s '%s': %s must be env \"NAME\", file \"PATH\" or a string", a->noun,
                       a->name, key);
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
