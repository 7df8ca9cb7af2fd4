/* Secrets that came by the environment. What is there stays readable for everything that this
 * process starts, and for /proc: so it is taken out, and kept for the next who asks for it. */
#include "base/mem.h"
#include "base/secret.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct taken {
    struct taken *next;
    struct mt_secret *secret;
    char name[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct taken *all;

static struct taken *find(const char *name)
{
    struct taken *at = all;
    while (at && strcmp(at->name, name) != 0) {
        at = at->next;
    }
    return at;
}

/* NULL when memory is short: the variable stays. */
static struct taken *take(const char *name, char *value)
{
    struct mt_secret *secret = mt_secret_new(value, strlen(value));
    struct taken *at = find(name);
    if (!at) {
        at = secret ? mt_mem_calloc(1, sizeof *at + strlen(name) + 1) : NULL;
        if (!at) {
            mt_secret_free(secret);
            return NULL;
        }
        memcpy(at->name, name, strlen(name) + 1);
        at->next = all;
        all = at;
    }
    if (!secret) {
        return NULL;
    }
    mt_secret_free(at->secret);
    at->secret = secret;
    explicit_bzero(value, strlen(value)); /* what /proc/PID/environ shows */
    unsetenv(name);
    return at;
}

enum mt_rc mt_secret_env(const char *name, struct mt_secret **out)
{
    enum mt_rc rc = MT_OK;
    *out = NULL;
    pthread_mutex_lock(&lock);
    char *value = getenv(name);
    const struct taken *at = value && *value ? take(name, value) : find(name);
    if (at) {
        *out = mt_secret_new(mt_secret_bytes(at->secret), mt_secret_len(at->secret));
    }
    if (!*out && (at || (value && *value))) {
        rc = MT_ERR_NOMEM;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}
