/* Finds a file that the binary carries. A few dozen names, asked for at start: a scan is enough. */
#include "base/embedded.h"

#include <string.h>

const struct mt_embedded_file *mt_embedded_find(const char *path)
{
    for (const struct mt_embedded_file *file = mt_embedded_files; file->path; file++) {
        if (strcmp(file->path, path) == 0) {
            return file;
        }
    }
    return NULL;
}
