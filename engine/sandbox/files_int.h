/* Private to the sandbox. Uploaded attachments, in memory. */
#ifndef MT_SANDBOX_FILES_INT_H
#define MT_SANDBOX_FILES_INT_H

#include <stddef.h>

#define MT_SB_FILE_MAX_BYTES  ((size_t)10 * 1024 * 1024)
#define MT_SB_FILES_MAX_BYTES ((size_t)512 * 1024 * 1024)

struct mt_sb_files;
struct mt_sb_files *mt_sb_files_new(void);
void mt_sb_files_free(struct mt_sb_files *files);

#endif
