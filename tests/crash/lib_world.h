/* What the crash programs share: TAP, scratch folders, and a model of a cloud whose conversations
 * are written into an archive. Nothing here knows how an archive works inside. */
#ifndef MT_TESTS_CRASH_LIB_WORLD_H
#define MT_TESTS_CRASH_LIB_WORLD_H

#include "archive/archive.h"
#include "base/buf.h"

#include "../tools/folder.h"

/* ---------------------------------------------------------------- TAP and scratch */

/* Prints one TAP line; detail is printed when it failed. */
bool world_check(bool ok, const char *name, const char *detail, ...) MT_PRINTF(3, 4);
/* The plan; returns the exit status. */
int world_end(void);
uint64_t world_number(const char *variable, uint64_t absent);
/* A fresh folder below $MT_SCRATCH, /dev/shm or /tmp. */
void world_scratch(char *out, size_t size, const char *name);
/* Copies a folder with all that is below. */
bool world_copy(const char *from, const char *to);
/* Paths of all files below dir, relative, sorted, without LOCK; free both with world_files_free. */
struct world_files {
    char **at;
    size_t n;
};
void world_files(const char *dir, struct world_files *out);
void world_files_free(struct world_files *files);

/* ---------------------------------------------------------------- the cloud */

#define WORLD_CONVS_MAX    12
#define WORLD_MESSAGES_MAX 400

/* Messages of a conversation are numbered from 0; message i has the id world_id(conv, i). */
struct world_conv {
    char name[64];
    unsigned messages_n;                       /* that exist in the cloud */
    unsigned written_n;                        /* given to the archive in the scenario */
    uint64_t committed_at[WORLD_MESSAGES_MAX]; /* tick after which it counts as archived; 0: not */
    uint64_t deleted_at[WORLD_MESSAGES_MAX];   /* tick at which the cloud forgot it; 0: not */
};

struct world_part;
struct world {
    struct world_conv convs[WORLD_CONVS_MAX];
    unsigned convs_n;
    uint64_t tick;                   /* advanced by whoever records file operations */
    const struct world_part *flight; /* of the commit that is running */
    size_t flight_n;
};

void world_init(struct world *w, unsigned convs_n, unsigned messages_n);
uint64_t world_id(const struct world *w, unsigned conv, unsigned message);
void world_identity(struct mt_archive_identity *identity);
/* Small segments, so that sealing happens. */
void world_options(struct mt_archive_options *options);

struct world_part {
    unsigned conv;
    unsigned n; /* messages, from written_n on */
    bool last;  /* the cloud says that there is no more */
};
/* Commits the parts in one group; what it returned is noted in committed_at. */
enum mt_rc world_commit(struct world *w, struct mt_archive *archive, const struct world_part *parts,
                        size_t n, struct mt_fault *fault) MT_CHECKED;
/* Half of what is archived is deleted from the cloud. */
void world_delete(struct world *w);
/* The mistake: what is still being committed is deleted from the cloud. */
void world_delete_flight(struct world *w);

/* ---------------------------------------------------------------- after the crash */

struct world_wrong {
    uint64_t lost, twice, committed_lost, broken;
    char first[400];
};

/* Opens the archive in dir as the next run does, gives it what the cloud still has after the
 * archive's cursor, closes cleanly, and compares with the cloud as it stood at tick. */
void world_resume(const struct world *w, const char *dir, uint64_t tick, struct world_wrong *wrong);

#endif
