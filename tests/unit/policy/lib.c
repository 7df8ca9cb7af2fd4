/* The shared ground of the tests of engine/policy. */
#include "tests.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)64 << 20)

int tests_begin(void **state)
{
    char path[300];
    const char *base = getenv("TMPDIR");

    mt_log_level_set(MT_LOG_ERROR);
    if (!base) /* many syncs: memory, where there is some */
        base = !access("/dev/shm", W_OK) ? "/dev/shm" : "/tmp";
    snprintf(path, sizeof path, "%s/mt-policy-XXXXXX", base);
    if (!mkdtemp(path))
        return -1;
    *state = strdup(path);
    return 0;
}

int tests_end(void **state)
{
    tests_remove(*state);
    free(*state);
    mt_log_level_set(MT_LOG_INFO);
    return 0;
}

const char *tests_path(const char *dir, const char *name)
{
    static char paths[4][600];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

void tests_write(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

char *tests_read(const char *path, size_t *len)
{
    char *data = NULL;

    assert_int_equal(mt_fs_read_all(path, FILE_MAX, &data, len), 0);
    return data;
}

uint64_t tests_seed(const char *what)
{
    const char *set = getenv("MT_TEST_SEED");
    uint64_t seed = set ? strtoull(set, NULL, 10) : 20261121;

    print_message("# %s: MT_TEST_SEED=%llu\n", what, (unsigned long long)seed);
    mt_rand_seed(seed);
    return seed;
}
