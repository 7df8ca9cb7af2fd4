/* A configuration as it is read, by the files that read it. Private.
 *
 * config.c runs the file; config_secret.c has its words env and file, config_command.c command,
 * config_account.c account, config_app.c app and accounts, config_job.c job; config_find.c answers
 * questions. */
#ifndef MT_SCRIPT_CONFIG_INT_H
#define MT_SCRIPT_CONFIG_INT_H

#include "script/config.h"

#include <lua.h>

struct mt_arena;
struct mt_config_jobs;

#define MT_CONFIG_URLS_MAX         8
#define MT_CONFIG_SECRET_FILES_MAX 1024
#define MT_CONFIG_APPS_MAX         100

/* command "…": what gives a secret when it is wanted. */
struct mt_config_command {
    struct mt_config_command *next;
    char key[16];        /* "token": of the account or app that it belongs to */
    const char *words[]; /* ends with NULL; the texts are of the same allocation */
};

/* An account that was declared, or what all accounts of an app have in common. */
struct mt_config_account {
    const char *noun; /* "account", "app": for messages */
    char *name, *provider, *appkey, *user, *rest, *websocket, *device;
    char *discovery[MT_CONFIG_URLS_MAX + 1];
    char *navigators[MT_CONFIG_URLS_MAX + 1];
    char *media_hosts[MT_CONFIG_URLS_MAX + 1];
    struct mt_secret *token, *password;
    struct mt_config_command *commands;
    double rate_per_s;
    int64_t timeout_ms;
    int platform;
    bool delivery_receipts;
    char *holds;   /* path of a list of holds */
    char *missing; /* the environment variable that is not set */
};

struct mt_config_app {
    struct mt_config_account base;
    char *client_id, *tokens, *area;
    char *api[MT_CONFIG_URLS_MAX + 1];
    struct mt_secret *secret;
    bool create_users, any_user;
    struct mt_app_config view;
};

/* Users of apps, by the names "APP/USER" of their accounts: thousands cost little more than these
 * texts. */
struct mt_config_users {
    struct mt_arena *arena;
    const char **names; /* as listed, each once */
    const char **sorted;
    size_t n, cap;
};

struct mt_config {
    char *path;
    struct mt_config_account *accounts;
    size_t n, cap;
    struct mt_config_app *apps[MT_CONFIG_APPS_MAX];
    size_t apps_n;
    struct mt_config_users users;
    struct mt_config_jobs *jobs;
    char *reading; /* a file that is being read, whatever is raised meanwhile */
    char *state;
    char *holds;
    char *listen;
    char *anchor;
    struct mt_config_audit audit;
    bool audit_stated;
    char *secret_files[MT_CONFIG_SECRET_FILES_MAX]; /* as named */
    size_t secret_files_n;
    uint32_t mode;       /* of the file: permission bits */
    bool foreign;        /* the file is somebody else's */
    size_t memory_bytes; /* of the Lua state, while it lives */
    int64_t instructions_n, deadline_us;
};

/* config.c: whose file is running. */
struct mt_config *mt_config_builder(lua_State *L);

/* config_secret.c */
void mt_config_secret_type(lua_State *L);
int mt_config_word_env(lua_State *L);
int mt_config_word_file(lua_State *L);
/* The option key of the table at 2 as a secret; *missing is its environment variable when that is
 * not set. With a command it is left NULL, and the command is among those of a. */
void mt_config_take_secret(lua_State *L, struct mt_config_account *a, const char *key,
                           struct mt_secret **out, char **missing);
/* The path of the file "…" at that index; NULL if it is something else. */
const char *mt_config_file_at(lua_State *L, int index);

/* config_command.c */
void mt_config_command_type(lua_State *L);
int mt_config_word_command(lua_State *L);
/* Whether the value at the top is a command "…", which is kept for key then. */
bool mt_config_take_command(lua_State *L, struct mt_config_account *a, const char *key);
void mt_config_commands_free(struct mt_config_command *commands);

/* config_account.c: options of the table at 2. What they raise is a text that names account, option
 * and remedy; what they allocate belongs to the configuration at once. */
int mt_config_word_account(lua_State *L);
void mt_config_check_keys(lua_State *L, const char *noun, const char *name,
                          const char *const *keys);
/* What accounts and apps have both; a has its noun and its name. */
void mt_config_take_common(lua_State *L, struct mt_config_account *a);
char *mt_config_take_text(lua_State *L, const struct mt_config_account *a, const char *key);
bool mt_config_take_flag(lua_State *L, const struct mt_config_account *a, const char *key);
void mt_config_take_urls(lua_State *L, const struct mt_config_account *a, const char *key,
                         char *out[MT_CONFIG_URLS_MAX + 1]);
void mt_config_account_deinit(struct mt_config_account *a);

/* config_app.c */
int mt_config_word_app(lua_State *L);
int mt_config_word_accounts(lua_State *L);
void mt_config_app_free(struct mt_config_app *app);
/* The file has ended: who is listed twice, or declared as an account of its own, counts once. */
enum mt_rc mt_config_users_finish(struct mt_config *config) MT_CHECKED;
void mt_config_users_free(struct mt_config_users *users);
/* Whether that can be the id of a user. */
bool mt_config_user_fits(const char *user, size_t len);

/* config_find.c */
const struct mt_config_account *mt_config_find(const struct mt_config *config, const char *name);
/* The app of that name, which ends at len. */
struct mt_config_app *mt_config_find_app(const struct mt_config *config, const char *name,
                                         size_t len);

/* config_serve.c */
int mt_config_word_serve(lua_State *L);

/* config_job.c: the name at 1, the table at 2: checked and added; *at is made when it is NULL.
 * Raises a Lua error that names what is wrong. */
int mt_config_job_add(lua_State *L, struct mt_config_jobs **at, const char *config_path);
void mt_config_jobs_free(struct mt_config_jobs *jobs);
size_t mt_config_jobs_count(const struct mt_config_jobs *jobs);
const struct mt_job_config *mt_config_jobs_at(const struct mt_config_jobs *jobs, size_t i);
/* A path that is relative to the configuration's folder; NULL: memory is short. */
char *mt_config_path_beside(const char *config_path, const char *path);

#endif
