/* The Lua files that the binary carries: the standard library, the API records and the scripts, so
 * that one file is a whole installation. The table is generated (engine/proto/embed.lua). */
#ifndef MT_BASE_EMBEDDED_H
#define MT_BASE_EMBEDDED_H

#include <stddef.h>

struct mt_embedded_file {
    const char *path; /* "lua/moontide/init.lua", "scripts/export.lua" */
    const char *data; /* NUL-terminated */
    size_t len;
};

/* Ends with a NULL path. */
extern const struct mt_embedded_file mt_embedded_files[];

/* NULL if there is no such file. */
const struct mt_embedded_file *mt_embedded_find(const char *path);

#endif
