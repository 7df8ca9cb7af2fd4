/* R2: a power cut at any moment of several runs. For each cut a state is built that the disk may
 * then hold (lib_disk.h); the next run recovers it, fetches what the cloud still has, and the
 * archive must be whole: nothing lost, nothing twice, everything there that was called committed,
 * and everything that the cloud has forgotten.
 *
 * Then six wrong write orders, each of which the same trials must catch: they prove that the trials
 * can see. MT_CRASH_N: cuts (default 1200; a sixth of that again for each wrong order, more until
 * one is caught); MT_SEED. */
#include "archive/archive_int.h"
#include "base/rand.h"
#include "lib_disk.h"
#include "lib_world.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUTS_OF_A_RECORDING 150
#define CUTS_TO_BE_CAUGHT   2000
#define LATE_MAX            64

enum mutant {
    RIGHT,
    NO_DATA_SYNC,
    NO_CHECKPOINT_SYNC,
    NO_DIRECTORY_SYNC,
    NO_TRUNCATE,
    DELETE_BEFORE_SYNC,
    DELETE_BEFORE_DIRECTORY_SYNC,
    MUTANTS_N
};
static const char *const mutant_names[] = {
    "the right order",
    "segments are not synced",
    "the checkpoint is not synced",
    "directories are not synced",
    "recovery does not truncate",
    "the cloud forgets before the segment is synced",
    "the cloud forgets before the directory is synced",
};

struct recording {
    enum mutant mutant;
    struct world world;
    struct disk *disk;
    char dir[512];
    uint64_t fail_in; /* segment writes until one fails half-way; 0: never */
    char *late[LATE_MAX];
    size_t late_n;
};

/* ---------------------------------------------------------------- recording */

static bool is_segment(const char *path)
{
    return path && strstr(path, "/conv/") && mt_str_ends(path, ".jsonl");
}

static bool skipped(struct recording *r, const struct mt_fs_event *event)
{
    bool sync = !strcmp(event->name, "fdatasync") || !strcmp(event->name, "fsync");

    switch (r->mutant) {
    case NO_DATA_SYNC:
        return sync && is_segment(event->path);
    case NO_CHECKPOINT_SYNC:
        return sync && strstr(event->path, "/CHECKPOINT");
    case NO_DIRECTORY_SYNC:
        return !strcmp(event->name, "fsync_dir");
    case DELETE_BEFORE_DIRECTORY_SYNC:
        if (strcmp(event->name, "fsync_dir") != 0 || r->late_n == LATE_MAX || !r->world.flight_n)
            return false;
        r->late[r->late_n++] = strdup(event->path);
        return true;
    default:
        return false;
    }
}

static int record(void *ud, const struct mt_fs_event *event)
{
    struct recording *r = ud;
    size_t allowed = event->len ? *event->len : 0;
    int answer = 0;

    r->world.tick = disk_settle(r->disk);
    if (skipped(r, event))
        return MT_FS_SEAM_SKIP;
    if (r->mutant == DELETE_BEFORE_SYNC && !strcmp(event->name, "fdatasync") &&
        is_segment(event->path))
        world_delete_flight(&r->world);
    if (!strcmp(event->name, "write") && is_segment(event->path) && r->fail_in && !--r->fail_in) {
        allowed = *event->len = allowed / 2;
        answer = EIO;
    }
    r->world.tick = disk_record(r->disk, event, allowed);
    return answer;
}

static void sync_late(struct recording *r)
{
    for (size_t i = 0; i < r->late_n; i++) {
        r->world.tick = disk_sync_dir(r->disk, r->late[i]);
        free(r->late[i]);
    }
    r->late_n = 0;
}

/* One group commit over some of the conversations. */
static enum mt_rc commit_some(struct recording *r, struct mt_archive *archive,
                              struct mt_fault *fault)
{
    struct world_part parts[WORLD_CONVS_MAX];
    size_t n = 0;

    for (unsigned c = 0; c < r->world.convs_n; c++) {
        struct world_conv *conv = &r->world.convs[c];
        unsigned left = conv->messages_n - conv->written_n;
        if (mt_rand_below(2) || !left)
            continue;
        unsigned take = (unsigned)mt_rand_below(left < 9 ? left + 1 : 9);
        parts[n++] = (struct world_part){c, take, false};
    }
    enum mt_rc rc = world_commit(&r->world, archive, parts, n, fault);
    if (!rc)
        world_delete(&r->world);
    sync_late(r);
    return rc;
}

static bool run_once(struct recording *r, unsigned commits, bool clean, struct mt_fault *fault)
{
    struct mt_archive_identity identity;
    struct mt_archive_options options;
    struct mt_archive *archive = NULL;

    world_identity(&identity);
    world_options(&options);
    enum mt_rc rc = mt_archive_open(r->dir, &identity, &options, &archive, fault);
    if (rc)
        return false;
    archive->compact_bytes = 20000; /* small, so that it happens */
    for (unsigned i = 0; i < commits && !rc; i++) {
        rc = commit_some(r, archive, fault);
        if (!rc && mt_rand_below(3) == 0)
            rc = mt_archive_seal_due(archive, fault);
    }
    struct mt_fault ignored;
    enum mt_rc close_rc = mt_archive_close(archive, clean && !rc, rc ? &ignored : fault);
    sync_late(r);
    return !rc && !close_rc;
}

static void record_runs(struct recording *r, enum mutant mutant, const char *scratch)
{
    struct mt_fault fault = {0};

    memset(r, 0, sizeof *r);
    r->mutant = mutant;
    snprintf(r->dir, sizeof r->dir, "%s/recorded", scratch);
    tests_remove(r->dir);
    world_init(&r->world, 2 + (unsigned)mt_rand_below(6), 100 + (unsigned)mt_rand_below(100));
    r->disk = disk_new(r->dir);
    mt_fs_seam_set(record, r);
    bool ok = run_once(r, 8, true, &fault); /* from nothing to a clean end */
    r->fail_in = 5 + mt_rand_below(20);     /* a disk error on the way */
    ok = ok && !run_once(r, 60, false, &fault);
    r->fail_in = 0;
    ok = ok && run_once(r, 8, true, &fault);  /* recovers, ends */
    ok = ok && run_once(r, 4, false, &fault); /* is stopped */
    ok = ok && run_once(r, 4, true, &fault);
    r->world.tick = disk_settle(r->disk);
    mt_fs_seam_set(NULL, NULL);
    if (!ok) {
        printf("Bail out! the scenario itself failed: %s\n", fault.message);
        exit(EXIT_FAILURE);
    }
}

/* ---------------------------------------------------------------- trials */

static int no_truncate(void *ud, const struct mt_fs_event *event)
{
    (void)ud;
    return !strcmp(event->name, "truncate") ? MT_FS_SEAM_SKIP : 0;
}

struct tally {
    uint64_t trials, wrong, lost, twice, committed_lost, broken;
    char first[600];
};

static void try_cut(struct recording *r, const char *scratch, struct tally *tally)
{
    char dir[512];
    struct world_wrong wrong;
    uint64_t cut = mt_rand_below(r->world.tick + 1);

    snprintf(dir, sizeof dir, "%s/cut", scratch);
    tests_remove(dir);
    if (!disk_cut(r->disk, cut, dir)) {
        printf("Bail out! cannot build a state in %s\n", dir);
        exit(EXIT_FAILURE);
    }
    if (r->mutant == NO_TRUNCATE)
        mt_fs_seam_set(no_truncate, NULL);
    world_resume(&r->world, dir, cut, &wrong);
    mt_fs_seam_set(NULL, NULL);
    tally->trials++;
    tally->lost += wrong.lost;
    tally->twice += wrong.twice;
    tally->committed_lost += wrong.committed_lost;
    tally->broken += wrong.broken;
    if (!wrong.first[0])
        return;
    tally->wrong++;
    if (!tally->first[0]) {
        snprintf(tally->first, sizeof tally->first, "cut %llu of %llu: %s", (unsigned long long)cut,
                 (unsigned long long)r->world.tick, wrong.first);
        if (r->mutant == RIGHT) {
            disk_print(r->disk, cut);
            if (getenv("MT_CRASH_KEEP")) {
                printf("  # kept: %s\n", dir);
                exit(EXIT_FAILURE);
            }
        }
    }
}

/* A wrong order gets more cuts until one shows it. */
static void try_order(enum mutant mutant, uint64_t cuts, const char *scratch, struct tally *tally)
{
    memset(tally, 0, sizeof *tally);
    while (tally->trials < cuts ||
           (mutant != RIGHT && !tally->wrong && tally->trials < CUTS_TO_BE_CAUGHT)) {
        struct recording r;
        record_runs(&r, mutant, scratch);
        for (unsigned i = 0; i < CUTS_OF_A_RECORDING && (!i || tally->trials < cuts); i++)
            try_cut(&r, scratch, tally);
        disk_free(r.disk);
    }
}

int main(void)
{
    char scratch[256];
    char name[200];
    uint64_t cuts = world_number("MT_CRASH_N", 1200);
    uint64_t seed = world_number("MT_SEED", 20261121);
    struct tally tally;

    printf("# MT_SEED=%llu\n", (unsigned long long)seed);
    mt_rand_seed(seed ? seed : 1);
    world_scratch(scratch, sizeof scratch, "powercut");
    try_order(RIGHT, cuts, scratch, &tally);
    snprintf(name, sizeof name, "%llu power cuts: nothing lost, nothing twice, nothing broken",
             (unsigned long long)tally.trials);
    world_check(
        !tally.wrong, name,
        "%llu wrong (%llu lost, %llu twice, %llu committed but gone, %llu broken); first: %s",
        (unsigned long long)tally.wrong, (unsigned long long)tally.lost,
        (unsigned long long)tally.twice, (unsigned long long)tally.committed_lost,
        (unsigned long long)tally.broken, tally.first);
    for (enum mutant mutant = RIGHT + 1; mutant < MUTANTS_N; mutant++) {
        try_order(mutant, cuts / 6, scratch, &tally);
        snprintf(name, sizeof name, "caught when %s (%llu of %llu cuts)", mutant_names[mutant],
                 (unsigned long long)tally.wrong, (unsigned long long)tally.trials);
        world_check(tally.wrong > 0, name, "no cut showed it");
    }
    tests_remove(scratch);
    return world_end();
}
