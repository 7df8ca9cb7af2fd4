/* What a job that deletes was when a person approved it: each part that decides what it does, so
 * that it can be said which of them is another one now (R13). */
#ifndef MT_JOBS_APPROVAL_H
#define MT_JOBS_APPROVAL_H

#include "base/rc.h"

#include <stddef.h>

struct mt_json;
struct mt_jsonw;

#define MT_APPROVAL_PARTS    16
#define MT_APPROVAL_NAME_MAX 200
#define MT_APPROVAL_FILE_MAX ((size_t)16 << 20)

struct mt_approval {
    size_t n; /* 0: nothing is approved */
    struct {
        char name[MT_APPROVAL_NAME_MAX]; /* "script", "grant", "file holds.lua" */
        char is[65];                     /* its hash, or itself if it is short */
    } parts[MT_APPROVAL_PARTS];
};

/* The program: its version, and the Lua files that it carries, which are all that a script can
 * require. */
enum mt_rc mt_approval_add_program(struct mt_approval *approval, const char *version,
                                   struct mt_fault *fault) MT_CHECKED;
void mt_approval_add(struct mt_approval *approval, const char *name, const void *p, size_t len);
/* A list that ends with NULL. */
enum mt_rc mt_approval_add_list(struct mt_approval *approval, const char *name,
                                const char *const *list, struct mt_fault *fault) MT_CHECKED;
/* Reads the files that the words of a command line name: policies, which are Lua files (NAME.lua,
 * or what stands behind --policy). Takes back those that were added before. One that cannot be read
 * is a part, too: it differs from one that can. */
void mt_approval_look(struct mt_approval *approval, const char *const *words);

bool mt_approval_same(const struct mt_approval *a, const struct mt_approval *b);
/* What is another one than before, for people: "script, grant, file holds.lua". */
void mt_approval_differs(const struct mt_approval *before, const struct mt_approval *now, char *out,
                         size_t cap);

void mt_approval_write(const struct mt_approval *approval, struct mt_jsonw *w);
/* What cannot be read approves nothing. */
void mt_approval_read(const struct mt_json *json, struct mt_approval *out);

#endif
