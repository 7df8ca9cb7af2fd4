/* Private to the sandbox. Uploaded attachments, in memory. */
#ifndef MT_SANDBOX_FILES_INT_H
#define MT_SANDBOX_FILES_INT_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

#define MT_SB_FILES_MAX_BYTES ((size_t)512 * 1024 * 1024)
#define MT_SB_UUID_MAX        40
#define MT_SB_TYPE_MAX        100

struct mt_map;
struct mt_sb_call;
struct mt_ws_answer;

struct mt_sb_files {
    struct mt_map *map;     /* uuid → struct mt_sb_file */
    struct mt_map *pending; /* uuid → struct mt_sb_parts */
    size_t bytes;
};

struct mt_sb_file {
    size_t len;
    char secret[MT_SB_UUID_MAX];
    char sign[MT_SB_UUID_MAX]; /* of its address in the object storage */
    char type[MT_SB_TYPE_MAX];
    bool restricted;
    bool expired;
    char data[];
};

/* A part of a multipart/form-data body. */
struct mt_sb_part {
    const char *data;
    size_t len;
    char type[MT_SB_TYPE_MAX];
};

struct mt_sb_files *mt_sb_files_new(void);
void mt_sb_files_free(struct mt_sb_files *files);
/* The part of that name in the body of the call; false if there is none. */
bool mt_sb_form_part(const struct mt_sb_call *call, const char *name, struct mt_sb_part *part);
void mt_sb_uuid(char uuid[MT_SB_UUID_MAX]);
/* A file of that length, whose data the caller fills. LIMIT, NOMEM. */
enum mt_rc mt_sb_file_make(struct mt_sb_files *files, const char *uuid, size_t len,
                           const char *type, bool restricted, struct mt_sb_file **out) MT_CHECKED;
/* The answer to an upload. */
void mt_sb_file_answer(struct mt_sb_call *call, const char *uuid, const struct mt_sb_file *file);
/* A request to the object storage. */
void mt_sb_files_stored(const struct mt_sb_files *files, const char *path, const char *query,
                        struct mt_ws_answer *answer);

/* files_parts.c */
void mt_sb_parts_free(void *parts);

#endif
