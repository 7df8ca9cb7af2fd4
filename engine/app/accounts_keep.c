/* What no script may touch: the configuration, its secrets, the lists of holds, the state. */
#include "app/accounts_all_int.h"

#include "base/fs.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* The real path of a file, or of the folder that it would lie in. */
static char *real_of(const char *path)
{
    char folder[4096];
    char *real = NULL;
    const char *slash = strrchr(path, '/');

    if (!mt_fs_real(path, &real))
        return real;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    return mt_fs_real(folder, &real) ? NULL : real;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_at(const char *real, const char *path)
{
    char *other = NULL;
    bool same = path && !mt_fs_real(path, &other) && !strcmp(real, other);

    mt_mem_free(other);
    return same;
}

static bool is_below(const char *real, const char *folder)
{
    char *other = NULL;
    bool below = !mt_fs_real(folder, &other);
    size_t len = below ? strlen(other) : 0;

    below = below && !strncmp(real, other, len) && (!real[len] || real[len] == '/' || len == 1);
    mt_mem_free(other);
    return below;
}

/* A list that is not there yet is one, too: whoever made it would say that nothing is held. */
static bool is_other(void *ud, const char *list)
{
    const char *path = ud;
    char *real = real_of(path);
    char *other = real_of(list);
    struct mt_fs_stat st;
    bool there = !mt_fs_stat(list, &st);
    bool same = real && other && !strcmp(real, other);

    if (same && !there)
        same = mt_fs_stat(path, &st) && !strcmp(base_of(path), base_of(list));
    mt_mem_free(real);
    mt_mem_free(other);
    return !same;
}

static bool keeps(struct mt_accounts *accounts, const char *path, const char *real)
{
    static const char *const system[] = {"/proc", "/sys", "/dev"};
    char state[4096];
    const char *secret = NULL;

    for (size_t i = 0; i < sizeof system / sizeof *system; i++) {
        if (is_below(real, system[i]))
            return true;
    }
    mt_accounts_state(accounts, state, sizeof state);
    if (is_below(real, state) || is_at(real, accounts->path))
        return true;
    if (accounts->config && is_at(real, mt_config_audit(accounts->config)->anchor))
        return true;
    if (accounts->config && !mt_config_each_holds(accounts->config, is_other, (void *)path))
        return true;
    for (size_t i = 0; accounts->config; i++) {
        secret = mt_config_secret_file(accounts->config, i);
        if (!secret)
            break;
        if (is_at(real, secret))
            return true;
    }
    return false;
}

bool mt_accounts_keep(struct mt_accounts *accounts, const char *path)
{
    char *real = real_of(path);
    bool kept = real && keeps(accounts, path, real);

    mt_mem_free(real);
    return kept;
}
