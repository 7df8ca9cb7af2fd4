/* R24: the audit under power cuts, kills, and several processes at once. What was acknowledged is
 * there afterwards, the chain is proved, and opening repairs what an append left. Then four wrong
 * orders, which the same trials must catch. MT_CRASH_N: cuts (default 600), a twentieth of it
 * kills; MT_SEED. */
#include "policy/audit.h"
#include "base/rand.h"
#include "lib_disk.h"
#include "lib_world.h"
#include "policy/audit_read.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS_MAX 2000
#define PROCESSES_N ((size_t)4)
#define EACH_N      60U

enum mutant { RIGHT, NO_DATA_SYNC, NO_DIRECTORY_SYNC, NO_HEAD_SYNC, NO_PACKED_SYNC, MUTANTS_N };
static const char *const mutant_names[] = {"the right order", "records are not synced",
                                           "directories are not synced", "heads are not synced",
                                           "compressed segments are not synced"};

struct recording {
    enum mutant mutant;
    struct disk *disk;
    uint64_t tick;
    char dir[512];
    uint64_t acked_at[RECORDS_MAX]; /* tick, by number */
    unsigned numbers_n;
};

static bool skipped(const struct recording *r, const struct mt_fs_event *event)
{
    bool sync = !strcmp(event->name, "fdatasync") || !strcmp(event->name, "fsync");

    switch (r->mutant) {
    case NO_DATA_SYNC:
        return sync && strstr(event->path, ".jsonl");
    case NO_DIRECTORY_SYNC:
        return !strcmp(event->name, "fsync_dir");
    case NO_HEAD_SYNC:
        return sync && strstr(event->path, "/HEAD");
    case NO_PACKED_SYNC:
        return sync && strstr(event->path, "/compressing");
    default:
        return false;
    }
}

static int record(void *ud, const struct mt_fs_event *event)
{
    struct recording *r = ud;

    r->tick = disk_settle(r->disk);
    if (skipped(r, event))
        return MT_FS_SEAM_SKIP;
    r->tick = disk_record(r->disk, event, event->len ? *event->len : 0);
    return 0;
}

static struct mt_audit *open_log(const char *dir, struct mt_fault *fault)
{
    struct mt_audit_options options = {.dir = dir, .head_every_n = 7, .segment_bytes = 6000};
    struct mt_audit *audit = NULL;

    (void)!mt_audit_open(&options, &audit, fault);
    return audit;
}

/* So many intents, "m1" … by their numbers in numbers, in one append. */
static bool append(struct mt_audit *audit, unsigned n, uint64_t *numbers, struct mt_fault *fault)
{
    struct mt_audit_record records[8];
    char why[900];
    char ids[8][24];
    const char *at[8];
    static unsigned next;

    memset(why, 'w', sizeof why);
    why[mt_rand_below(sizeof why - 1)] = '\0';
    why[sizeof why - 1] = '\0';
    for (unsigned i = 0; i < n; i++) {
        snprintf(ids[i], sizeof ids[i], "m%d-%u", (int)getpid(), ++next);
        at[i] = ids[i];
        records[i] = (struct mt_audit_record){.type = MT_AUDIT_INTENT,
                                              .user = "agent",
                                              .verb = "delete_messages",
                                              .why = why,
                                              .ids = &at[i],
                                              .ids_n = 1};
    }
    return !mt_audit_append(audit, records, n, numbers, fault);
}

static bool run_once(struct recording *r, unsigned appends, bool closes, struct mt_fault *fault)
{
    struct mt_audit *audit = open_log(r->dir, fault);
    bool fine = audit != NULL;

    for (unsigned i = 0; i < appends && fine; i++) {
        uint64_t numbers[8];
        unsigned n = 1 + (unsigned)mt_rand_below(6);
        fine = append(audit, n, numbers, fault);
        r->tick = disk_settle(r->disk);
        for (unsigned k = 0; k < n && fine; k++) {
            r->acked_at[numbers[k]] = r->tick;
            r->numbers_n = (unsigned)numbers[k] + 1;
        }
    }
    if (!closes) /* its process dies: nothing more is recorded */
        mt_fs_seam_set(NULL, NULL);
    return mt_audit_close(audit, fault) == MT_OK && fine;
}

/* Whoever may removes what is finished: all but the last segment. */
static bool prune_all(const char *dir, struct mt_fault *fault)
{
    struct mt_audit_options options = {.dir = dir, .head_every_n = 7, .segment_bytes = 6000};
    struct mt_audit_prune what = {.before_ms = INT64_MAX, .actor = "test", .apply = true};
    struct mt_audit_pruned pruned;

    return !mt_audit_prune(&options, &what, &pruned, fault) && pruned.segments_n > 1 &&
           pruned.statement;
}

static void record_runs(struct recording *r, enum mutant mutant, const char *scratch)
{
    struct mt_fault fault = {0};

    memset(r, 0, sizeof *r);
    r->mutant = mutant;
    snprintf(r->dir, sizeof r->dir, "%s/recorded", scratch);
    tests_remove(r->dir);
    r->disk = disk_new(r->dir);
    mt_fs_seam_set(record, r);
    bool fine = run_once(r, 20, true, &fault) && run_once(r, 15, true, &fault) &&
                prune_all(r->dir, &fault) && run_once(r, 15, false, &fault);
    mt_fs_seam_set(NULL, NULL);
    if (!fine) {
        printf("Bail out! the scenario itself failed: %s\n", fault.message);
        exit(EXIT_FAILURE);
    }
}

/* ---------------------------------------------------------------- trials */

struct tally {
    uint64_t trials, wrong, repaired;
    char first[400];
};

static void find_wrong(const struct recording *r, const char *dir, uint64_t cut, char *out,
                       size_t cap, bool *repaired)
{
    struct mt_audit_proof proof;
    struct mt_fault fault = {0};
    uint64_t acked = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < r->numbers_n; i++)
        if (r->acked_at[i] && r->acked_at[i] <= cut)
            acked = i;
    struct mt_audit *audit = open_log(dir, &fault);
    if (!audit) {
        snprintf(out, cap, "it does not open: %s", fault.message);
        return;
    }
    uint64_t number = 0;
    if (!append(audit, 1, &number, &fault) || mt_audit_close(audit, &fault))
        snprintf(out, cap, "it takes nothing: %s", fault.message);
    else if (mt_audit_prove(dir, NULL, &proof, &fault))
        snprintf(out, cap, "it is not proved: %s", fault.message);
    else if (number <= acked)
        snprintf(out, cap, "record %llu was acknowledged and is gone", (unsigned long long)acked);
    struct mt_audit_filter filter = {.verb = "repair"};
    struct mt_audit_reader *reader = NULL;
    struct mt_buf text;
    bool more = true;
    mt_buf_init(&text, 1 << 20);
    if (!out[0] && !mt_audit_reader_open(dir, &filter, &reader, &fault))
        while (more && !mt_audit_reader_next(reader, &text, &more, &fault))
            ;
    mt_audit_reader_close(reader);
    *repaired = text.len > 0;
    mt_buf_deinit(&text);
}

static void try_cut(struct recording *r, const char *scratch, struct tally *tally)
{
    char dir[512];
    char wrong[300];
    bool repaired = false;
    uint64_t cut = mt_rand_below(r->tick + 1);

    snprintf(dir, sizeof dir, "%s/cut", scratch);
    tests_remove(dir);
    if (!disk_cut(r->disk, cut, dir)) {
        printf("Bail out! cannot build a state in %s\n", dir);
        exit(EXIT_FAILURE);
    }
    char key[600]; /* the model keeps no modes */
    snprintf(key, sizeof key, "%s/key", dir);
    (void)!chmod(key, 0600);
    find_wrong(r, dir, cut, wrong, sizeof wrong, &repaired);
    tally->trials++;
    tally->repaired += repaired;
    if (!wrong[0])
        return;
    tally->wrong++;
    if (!tally->first[0]) {
        snprintf(tally->first, sizeof tally->first, "cut %llu of %llu: %s", (unsigned long long)cut,
                 (unsigned long long)r->tick, wrong);
        if (r->mutant == RIGHT)
            disk_print(r->disk, cut);
    }
}

static void try_order(enum mutant mutant, uint64_t cuts, const char *scratch, struct tally *tally)
{
    memset(tally, 0, sizeof *tally);
    while (tally->trials < cuts || (mutant != RIGHT && !tally->wrong && tally->trials < 2000)) {
        struct recording r;
        record_runs(&r, mutant, scratch);
        for (unsigned i = 0; i < 100 && (!i || tally->trials < cuts); i++)
            try_cut(&r, scratch, tally);
        disk_free(r.disk);
    }
}

static void power_cuts(uint64_t cuts, const char *scratch)
{
    struct tally tally;
    char name[200];

    try_order(RIGHT, cuts, scratch, &tally);
    snprintf(name, sizeof name, "%llu power cuts: all that was acknowledged is there, and proved",
             (unsigned long long)tally.trials);
    world_check(!tally.wrong, name, "%llu wrong; first: %s", (unsigned long long)tally.wrong,
                tally.first);
    snprintf(name, sizeof name, "%llu of them left an append that was not whole: it is said",
             (unsigned long long)tally.repaired);
    /* a handful of cuts may miss every append */
    world_check(tally.repaired > 0 || tally.trials < 100, name, "none of them did");
    for (enum mutant mutant = RIGHT + 1; mutant < MUTANTS_N; mutant++) {
        try_order(mutant, cuts / 6, scratch, &tally);
        snprintf(name, sizeof name, "caught when %s (%llu of %llu cuts)", mutant_names[mutant],
                 (unsigned long long)tally.wrong, (unsigned long long)tally.trials);
        world_check(tally.wrong > 0, name, "no cut showed it");
    }
}

/* ---------------------------------------------------------------- processes */

/* Appends and says each number when it is acknowledged. */
static void child(const char *dir, int out, unsigned n)
{
    struct mt_fault fault;
    struct mt_audit *audit = open_log(dir, &fault);

    mt_rand_seed(0);
    for (unsigned i = 0; audit && i < n; i++) {
        uint64_t number = 0;
        if (!append(audit, 1, &number, &fault) ||
            write(out, &number, sizeof number) != sizeof number)
            _exit(1);
    }
    _exit(audit && !mt_audit_close(audit, &fault) ? 0 : 1);
}

static pid_t start(const char *dir, int fds[2], unsigned n)
{
    if (pipe(fds))
        return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid)
        child(dir, fds[1], n);
    close(fds[1]);
    return pid;
}

static void kills(uint64_t n, const char *scratch)
{
    char dir[512];
    char name[120];
    unsigned wrong = 0;
    uint64_t acked = 0;

    snprintf(dir, sizeof dir, "%s/killed", scratch);
    for (uint64_t i = 0; i < n; i++) {
        struct mt_audit_proof proof;
        struct mt_fault fault = {0};
        uint64_t number = 0;
        uint64_t after = mt_rand_below(40);
        int fds[2];
        pid_t pid = start(dir, fds, 1000000);
        for (uint64_t k = 0; k <= after && read(fds[0], &number, sizeof number) == sizeof number;
             k++)
            acked = number;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(fds[0], &number, sizeof number) == sizeof number)
            acked = number;
        close(fds[0]);
        struct mt_audit *audit = open_log(dir, &fault);
        if (!audit || mt_audit_close(audit, &fault) || mt_audit_prove(dir, NULL, &proof, &fault) ||
            proof.records_n < acked) {
            printf("# after record %llu: %s\n", (unsigned long long)acked, fault.message);
            wrong++;
        }
    }
    snprintf(name, sizeof name, "%llu kills, %llu records: nothing acknowledged is lost",
             (unsigned long long)n, (unsigned long long)acked);
    world_check(!wrong && acked > n, name, "%u wrong", wrong);
}

static void at_once(const char *scratch)
{
    struct mt_audit_proof proof = {0};
    struct mt_fault fault = {0};
    static bool seen[PROCESSES_N * EACH_N * 2];
    pid_t pids[PROCESSES_N];
    int fds[PROCESSES_N][2];
    char dir[512];
    unsigned twice = 0;
    unsigned failed = 0;

    snprintf(dir, sizeof dir, "%s/several", scratch);
    for (size_t i = 0; i < PROCESSES_N; i++)
        pids[i] = start(dir, fds[i], EACH_N);
    for (size_t i = 0; i < PROCESSES_N; i++) {
        uint64_t number = 0;
        int status = 0;
        while (read(fds[i][0], &number, sizeof number) == sizeof number) {
            if (number >= sizeof seen || seen[number])
                twice++;
            else
                seen[number] = true;
        }
        close(fds[i][0]);
        waitpid(pids[i], &status, 0);
        failed += status != 0;
    }
    enum mt_rc rc = mt_audit_prove(dir, NULL, &proof, &fault);
    world_check(!rc && !twice && !failed && proof.records_n == PROCESSES_N * EACH_N + 1 &&
                    proof.open_n == PROCESSES_N * EACH_N && proof.segments_n > 1,
                "four processes append at once: one chain, no number twice",
                "%llu records, %u twice, %u failed: %s", (unsigned long long)proof.records_n, twice,
                failed, fault.message);
}

int main(void)
{
    char scratch[256];
    uint64_t cuts = world_number("MT_CRASH_N", 600);
    uint64_t seed = world_number("MT_SEED", 20261121);

    printf("# MT_SEED=%llu\n", (unsigned long long)seed);
    mt_rand_seed(seed ? seed : 1);
    world_scratch(scratch, sizeof scratch, "audit");
    power_cuts(cuts, scratch);
    kills(cuts / 20 + 5, scratch);
    at_once(scratch);
    tests_remove(scratch);
    return world_end();
}
