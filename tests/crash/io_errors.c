/* R6: a disk that is full, fails, or writes only half, at each of the first 500 file operations.
 * The run must end with a fault that says what is wrong, refuse to go on writing, and leave an
 * archive that the next run takes up: nothing lost, nothing twice, all there that was called
 * committed, although the cloud has forgotten it.
 *
 * MT_CRASH_N: 500 or more takes each of so many first operations with each of the errors; fewer
 * (450 if not given) draws so many trials at random. MT_SEED. */
#include "base/fs.h"
#include "base/rand.h"
#include "base/str.h"
#include "lib_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATIONS 500

static const struct {
    const char *name;
    int err;
    bool stays; /* what changes the disk fails from then on */
    bool is_short;
} errors[] = {{"ENOSPC", ENOSPC, false, false}, {"ENOSPC that stays", ENOSPC, true, false},
              {"EIO", EIO, false, false},       {"EDQUOT", EDQUOT, true, false},
              {"EROFS", EROFS, true, false},    {"a short write", ENOSPC, false, true}};
#define ERRORS_N (sizeof errors / sizeof *errors)

struct trial {
    size_t error;
    uint64_t at; /* the operation that fails; 0: none */
    uint64_t n;
    bool failed;
    char what[200]; /* the operation that failed */
};

static bool changes(const char *name)
{
    static const char *const names[] = {"write",  "fsync",    "fdatasync", "fsync_dir", "mkdir",
                                        "rename", "truncate", "unlink",    "rmdir"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcmp(names[i], name))
            return true;
    }
    return false;
}

static int fail_one(void *ud, const struct mt_fs_event *event)
{
    struct trial *trial = ud;
    const char *slash = event->path ? strrchr(event->path, '/') : NULL;
    bool write = !strcmp(event->name, "write");

    trial->n++;
    if (!trial->at || trial->n < trial->at)
        return 0;
    if (trial->failed && !(errors[trial->error].stays && changes(event->name)))
        return 0;
    if (!trial->failed && errors[trial->error].is_short && !write)
        return 0; /* the next write it is */
    if (!trial->failed)
        snprintf(trial->what, sizeof trial->what, "%s of %s (operation %llu)", event->name,
                 slash ? slash + 1 : "?", (unsigned long long)trial->n);
    trial->failed = true;
    if (errors[trial->error].is_short)
        *event->len /= 2;
    return errors[trial->error].err;
}

/* ---------------------------------------------------------------- the scenario */

struct outcome {
    bool failed;
    char wrong[400];
};

static void complain(struct outcome *out, const char *what, const struct mt_fault *fault)
{
    if (!out->wrong[0])
        snprintf(out->wrong, sizeof out->wrong, "%s (%s: %.200s)", what, fault->code,
                 fault->message);
}

/* A fault of which a person learns what is wrong. */
static void check_fault(struct outcome *out, enum mt_rc rc, const struct mt_fault *fault)
{
    out->failed = true;
    if (rc != fault->kind ||
        (!mt_str_starts(fault->code, "fs.") && !mt_str_starts(fault->code, "archive.")) ||
        strlen(fault->message) < 20)
        complain(out, "the fault says nothing", fault);
}

static enum mt_rc commits(struct world *w, struct mt_archive *archive, unsigned n,
                          struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    for (unsigned i = 0; i < n && !rc; i++) {
        struct world_part parts[WORLD_CONVS_MAX];
        for (unsigned c = 0; c < w->convs_n; c++)
            parts[c] = (struct world_part){c, 1 + (i * 3 + c) % 6, false};
        rc = world_commit(w, archive, parts, w->convs_n, fault);
        if (!rc)
            world_delete(w);
        if (!rc && i % 4 == 3)
            rc = mt_archive_seal_due(archive, fault);
    }
    return rc;
}

static void run_once(struct world *w, const char *dir, unsigned n, struct outcome *out)
{
    struct mt_archive_identity identity;
    struct mt_archive_options options;
    struct mt_archive *archive = NULL;
    struct mt_fault fault = {0};
    struct world_part more = {0, 1, false};

    world_identity(&identity);
    world_options(&options);
    enum mt_rc rc = mt_archive_open(dir, &identity, &options, &archive, &fault);
    if (rc) {
        check_fault(out, rc, &fault);
        return;
    }
    rc = commits(w, archive, n, &fault);
    if (rc) {
        check_fault(out, rc, &fault);
        if (world_commit(w, archive, &more, 1, &fault) != MT_ERR_STATE)
            complain(out, "it went on writing", &fault);
        if (mt_archive_close(archive, true, &fault) == MT_OK)
            complain(out, "it called the run ended", &fault);
        return;
    }
    rc = mt_archive_close(archive, true, &fault);
    if (rc)
        check_fault(out, rc, &fault);
}

static uint64_t scenario(struct world *w, const char *dir, struct trial *trial, struct outcome *out)
{
    memset(out, 0, sizeof *out);
    tests_remove(dir);
    world_init(w, 4, 120);
    w->tick = 1;
    mt_fs_seam_set(fail_one, trial);
    for (unsigned run = 0; run < 3 && !out->failed; run++)
        run_once(w, dir, 5, out);
    mt_fs_seam_set(NULL, NULL);
    return trial->n;
}

/* ---------------------------------------------------------------- trials */

struct tally {
    uint64_t trials, failed, wrong;
    char first[900];
};

static void try_one(const char *dir, size_t error, uint64_t at, struct tally *tally)
{
    struct world w;
    struct trial trial = {.error = error, .at = at};
    struct outcome out;
    struct world_wrong wrong;

    scenario(&w, dir, &trial, &out);
    world_resume(&w, dir, w.tick, &wrong);
    tally->trials++;
    tally->failed += out.failed;
    if (!out.wrong[0] && !wrong.first[0])
        return;
    tally->wrong++;
    if (!tally->first[0])
        snprintf(tally->first, sizeof tally->first, "%s at %s: %s", errors[error].name, trial.what,
                 out.wrong[0] ? out.wrong : wrong.first);
}

int main(void)
{
    char scratch[256], dir[300], name[200];
    uint64_t n = world_number("MT_CRASH_N", 450);
    uint64_t seed = world_number("MT_SEED", 20261121);
    struct world w;
    struct trial none = {0};
    struct outcome out;
    struct tally tally = {0};

    printf("# MT_SEED=%llu\n", (unsigned long long)seed);
    mt_rand_seed(seed ? seed : 1);
    world_scratch(scratch, sizeof scratch, "io");
    snprintf(dir, sizeof dir, "%s/archive", scratch);
    uint64_t operations = scenario(&w, dir, &none, &out);
    world_check(operations >= OPERATIONS && !out.failed,
                "the scenario makes 500 file operations and more", "%llu; %s",
                (unsigned long long)operations, out.wrong);
    if (n >= OPERATIONS) {
        for (uint64_t at = 1; at <= n && at <= operations; at++) {
            for (size_t error = 0; error < ERRORS_N; error++)
                try_one(dir, error, at, &tally);
        }
    } else {
        for (uint64_t i = 0; i < n; i++)
            try_one(dir, (size_t)mt_rand_below(ERRORS_N), 1 + mt_rand_below(OPERATIONS), &tally);
    }
    snprintf(name, sizeof name,
             "%llu disk errors: a clear fault (%llu) or no harm, and a clean resume",
             (unsigned long long)tally.trials, (unsigned long long)tally.failed);
    world_check(!tally.wrong, name, "%llu wrong; first: %s", (unsigned long long)tally.wrong,
                tally.first);
    world_check(tally.failed * 2 > tally.trials, "most of the errors were noticed", "%llu of %llu",
                (unsigned long long)tally.failed, (unsigned long long)tally.trials);
    tests_remove(scratch);
    return world_end();
}
