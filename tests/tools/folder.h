/* Folders that tests make, taken away again with all that is in them. */
#ifndef TESTS_TOOLS_FOLDER_H
#define TESTS_TOOLS_FOLDER_H

#include "base/fs.h"
#include "base/mem.h"

#include <stdio.h>

static inline void tests_remove(const char *dir)
{
    char **names = NULL;
    size_t n = 0;

    if (mt_fs_list(dir, &names, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        char path[4096];
        struct mt_fs_stat st;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (!mt_fs_stat(path, &st) && st.is_dir)
            tests_remove(path);
        else
            mt_fs_unlink(path);
    }
    mt_mem_free(names);
    mt_fs_rmdir(dir);
}

#endif
