#include "tests.h"

#include "base/fs.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int make_dir(void **state)
{
    const char *base = getenv("TMPDIR");
    char path[256];
    (void)snprintf(path, sizeof path, "%s/mt-sandbox-XXXXXX", base == NULL ? "/tmp" : base);
    if (mkdtemp(path) == NULL)
        return -1;
    *state = mt_mem_strdup(path);
    return *state == NULL ? -1 : 0;
}

int remove_dir(void **state)
{
    char **names = NULL;
    size_t n = 0;
    char path[512];
    if (mt_fs_list(*state, &names, &n) == 0) {
        for (size_t i = 0; i < n; i++) {
            (void)snprintf(path, sizeof path, "%s/%s", (const char *)*state, names[i]);
            (void)mt_fs_unlink(path);
        }
        mt_mem_free(names);
    }
    (void)mt_fs_rmdir(*state);
    mt_mem_free(*state);
    return 0;
}

int main(void)
{
    int failed = test_fill() + test_store() + test_faults() + test_rest() + test_rest_more() +
                 test_attachments() + test_msync() + test_rong() + test_rong_more() + test_world();
    return failed == 0 ? 0 : 1;
}
