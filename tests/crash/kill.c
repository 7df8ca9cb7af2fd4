/* R1: the export of an account from a sandbox, killed with SIGKILL at random moments and after
 * every file operation of its journal, resumed by the same command, must end as the unbroken export
 * does: nothing lost, nothing twice, and one more run changes nothing.
 *
 * MT_CRASH_N: random kills (default 40). MT_CRASH_STEPS: kills after a file operation (default 60;
 * 0: after each). MT_SEED: the seed. The processes are forks of this program, so that the file seam
 * can kill at operation N. */
#include "app/app.h"
#include "archive/archive.h"
#include "archive/verify.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/hash.h"
#include "codec/json.h"

#include "../tools/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES "6000"

static int checks, failures;

static bool check(bool ok, const char *name, const char *detail)
{
    checks++;
    if (!ok)
        failures++;
    printf("%s %d - %s\n", ok ? "ok" : "not ok", checks, name);
    if (!ok && detail && *detail)
        printf("  # %s\n", detail);
    fflush(stdout);
    return ok;
}

static uint64_t number(const char *name, uint64_t absent)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : absent;
}

/* ---------------------------------------------------------------- the other side */

static pid_t sandbox_start(char *ready, size_t size)
{
    int pipe_fds[2];
    size_t len = 0;

    if (pipe(pipe_fds))
        return -1;
    pid_t pid = fork();
    if (!pid) {
        char *argv[] = {"moontide", "sandbox", "--generate", MESSAGES, "--faults", "seed=11", NULL};
        dup2(pipe_fds[1], STDOUT_FILENO);
        close(pipe_fds[0]);
        _exit(mt_app_main(6, argv));
    }
    close(pipe_fds[1]);
    while (len + 1 < size && read(pipe_fds[0], ready + len, 1) == 1 && ready[len] != '\n')
        len++;
    ready[len] = '\0';
    close(pipe_fds[0]);
    return pid;
}

static bool write_config(const char *dir, const char *ready, char *path, size_t size)
{
    struct mt_json *root = NULL;
    struct mt_fault fault;

    if (mt_json_parse(ready, strlen(ready), 4096, &root, &fault))
        return false;
    const struct mt_json *easemob = mt_json_get(root, "easemob");
    snprintf(path, size, "%s/moontide.lua", dir);
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    fprintf(file,
            "account \"it\" { provider = \"easemob\", appkey = \"%s\", user = \"%s\", password = "
            "env \"KILL_PASSWORD\",\n"
            "  rest = \"%s\", websocket = \"%s\" }\n",
            mt_json_str(mt_json_get(easemob, "appkey")), mt_json_str(mt_json_get(root, "owner")),
            mt_json_str(mt_json_get(easemob, "rest")),
            mt_json_str(mt_json_get(easemob, "websocket")));
    fclose(file);
    chmod(path, 0600);
    setenv("KILL_PASSWORD", "secret", 1);
    mt_json_free(root);
    return true;
}

/* ---------------------------------------------------------------- one export */

struct killer {
    uint64_t at; /* SIGKILL after this file operation; 0: never */
    uint64_t n;
};

static int count_operation(void *ud, const struct mt_fs_event *event)
{
    struct killer *killer = ud;
    (void)event;
    /* The hook runs before the operation, so the kill after operation N is the one before operation
     * N + 1. */
    if (killer->at && killer->n == killer->at)
        kill(getpid(), SIGKILL);
    __atomic_add_fetch(&killer->n, 1, __ATOMIC_RELAXED);
    return 0;
}

static pid_t export_start(const char *config, const char *out, uint64_t kill_at, int report_fd)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    char *argv[] = {"moontide", "export",    "-c", (char *)config, "-a", "it",
                    "-o",       (char *)out, NULL};
    struct killer killer = {kill_at, 0};
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    if (!getenv("MT_VERBOSE"))
        dup2(null, STDERR_FILENO);
    mt_fs_seam_set(count_operation, &killer);
    int status = mt_app_main(8, argv);
    if (report_fd >= 0 && write(report_fd, &killer.n, sizeof killer.n) != (ssize_t)sizeof killer.n)
        status = 99;
    _exit(status);
}

/* 0…255: exit status; 1000 + n: killed by signal n. */
static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int export_run(const char *config, const char *out, uint64_t kill_at)
{
    return wait_for(export_start(config, out, kill_at, -1));
}

/* ---------------------------------------------------------------- what an archive holds */

struct content {
    struct mt_sha256 *hash;
    uint64_t lines_n;
};

static enum mt_rc take_line(void *ud, const char *line, size_t len)
{
    struct content *content = ud;
    mt_sha256_update(content->hash, line, len);
    mt_sha256_update(content->hash, "\n", 1);
    content->lines_n++;
    return MT_OK;
}

struct names {
    char (*at)[256];
    size_t n;
};

static bool take_name(void *ud, const struct mt_archive_state *state)
{
    struct names *names = ud;
    names->at = realloc(names->at, (names->n + 1) * sizeof *names->at);
    snprintf(names->at[names->n++], sizeof *names->at, "%s", state->conversation);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* A digest over every line of every conversation, in a stable order. */
static bool digest(const char *dir, const char *appkey, const char *user, char out[MT_SHA256_HEX],
                   uint64_t *lines_n)
{
    struct mt_archive_identity identity = {"easemob", appkey, user};
    struct mt_archive *archive = NULL;
    struct mt_fault fault;
    struct names names = {NULL, 0};
    struct content content = {mt_sha256_new(), 0};
    uint8_t sum[MT_SHA256_LEN];
    bool ok = !mt_archive_open(dir, &identity, NULL, &archive, &fault);

    if (ok) {
        mt_archive_each(archive, take_name, &names);
        qsort(names.at, names.n, sizeof *names.at, by_name);
        for (size_t i = 0; i < names.n && ok; i++) {
            mt_sha256_update(content.hash, names.at[i], strlen(names.at[i]) + 1);
            ok = !mt_archive_lines(archive, names.at[i], 0, 0, take_line, &content, &fault);
        }
    }
    if (!ok)
        printf("  # %s\n", fault.message);
    if (archive && mt_archive_close(archive, true, &fault))
        ok = false;
    mt_sha256_peek(content.hash, sum);
    mt_hex(sum, sizeof sum, out);
    mt_sha256_free(content.hash);
    *lines_n = content.lines_n;
    free(names.at);
    return ok;
}

/* Sum of sizes and names of all files, to see whether a run wrote anything. */
static uint64_t fingerprint(const char *dir)
{
    char **names = NULL;
    size_t n = 0;
    uint64_t sum = 14695981039346656037u;
    if (mt_fs_list(dir, &names, &n))
        return 0;
    for (size_t i = 0; i < n; i++) {
        char path[4096];
        struct mt_fs_stat st;
        if (!strcmp(names[i], "LOCK"))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (mt_fs_stat(path, &st))
            continue;
        uint64_t here =
            st.is_dir ? fingerprint(path) : (uint64_t)st.size_bytes * 31 + (uint64_t)st.mtime_ms;
        for (const char *c = names[i]; *c; c++)
            sum = (sum ^ (uint8_t)*c) * 1099511628211u;
        sum = (sum ^ here) * 1099511628211u;
    }
    mt_mem_free(names);
    return sum;
}

/* ---------------------------------------------------------------- the trials */

struct trial {
    const char *config;
    const char *appkey;
    const char *user;
    char dir[512];
    char want[MT_SHA256_HEX];
    uint64_t want_lines;
    char wrong[600];
};

static void quiet_problem(void *ud, const char *text)
{
    struct trial *trial = ud;
    if (!trial->wrong[0])
        snprintf(trial->wrong, sizeof trial->wrong, "verify: %s", text);
}

/* After the kills: the same command once more ends the job, and the result is the unbroken one. */
static bool settle(struct trial *trial)
{
    struct mt_verify_report report;
    struct mt_fault fault;
    char got[MT_SHA256_HEX];
    uint64_t lines_n = 0;
    int status = export_run(trial->config, trial->dir, 0);

    trial->wrong[0] = '\0';
    if (status) {
        snprintf(trial->wrong, sizeof trial->wrong, "the resumed export ended with %d", status);
        return false;
    }
    if (mt_archive_verify(trial->dir, MT_VERIFY_READ_ALL, quiet_problem, NULL, trial, &report,
                          &fault) ||
        report.verdict != MT_VERIFY_COMPLETE) {
        if (!trial->wrong[0])
            snprintf(trial->wrong, sizeof trial->wrong, "verify does not say complete");
        return false;
    }
    if (!digest(trial->dir, trial->appkey, trial->user, got, &lines_n) ||
        strcmp(got, trial->want) != 0) {
        snprintf(trial->wrong, sizeof trial->wrong,
                 "%llu lines, the unbroken export has %llu, or they differ",
                 (unsigned long long)lines_n, (unsigned long long)trial->want_lines);
        return false;
    }
    uint64_t before = fingerprint(trial->dir);
    if (export_run(trial->config, trial->dir, 0) || fingerprint(trial->dir) != before) {
        snprintf(trial->wrong, sizeof trial->wrong, "one more run changed the archive");
        return false;
    }
    return true;
}

static void random_kills(struct trial *trial, uint64_t kills, int64_t span_us)
{
    uint64_t done = 0, exports = 0, bad = 0, missed = 0;
    char first[600] = "";
    char detail[800];

    while (done < kills) {
        uint64_t here = 1 + mt_rand_below(6);
        tests_remove(trial->dir);
        for (uint64_t i = 0; i < here && done < kills; i++) {
            struct timespec nap = {0, (long)mt_rand_below((uint64_t)span_us) * 1000};
            pid_t pid = export_start(trial->config, trial->dir, 0, -1);
            nanosleep(&nap, NULL); /* the random moment itself, not a wait for something */
            kill(pid, SIGKILL);
            if (wait_for(pid) == 1000 + SIGKILL)
                done++;
            else
                missed++;
        }
        exports++;
        if (!settle(trial)) {
            bad++;
            if (!first[0])
                snprintf(first, sizeof first, "%s", trial->wrong);
        }
    }
    snprintf(detail, sizeof detail, "%llu of %llu exports wrong; first: %s",
             (unsigned long long)bad, (unsigned long long)exports, first);
    printf("# %llu random kills in %llu exports (%llu came after the end)\n",
           (unsigned long long)done, (unsigned long long)exports, (unsigned long long)missed);
    check(!bad,
          "killed at random moments: nothing lost, nothing twice, one more run changes nothing",
          detail);
}

static void step_kills(struct trial *trial, uint64_t steps, uint64_t operations)
{
    uint64_t every = steps && steps < operations ? operations / steps : 1;
    uint64_t tried = 0, bad = 0;
    char first[700] = "";
    char detail[900];

    for (uint64_t at = 1; at <= operations; at += every) {
        tests_remove(trial->dir);
        export_run(trial->config, trial->dir, at);
        tried++;
        if (settle(trial))
            continue;
        bad++;
        if (!first[0])
            snprintf(first, sizeof first, "after operation %llu: %s", (unsigned long long)at,
                     trial->wrong);
    }
    snprintf(detail, sizeof detail, "%llu wrong; first: %s", (unsigned long long)bad, first);
    printf("# killed after %llu of %llu file operations\n", (unsigned long long)tried,
           (unsigned long long)operations);
    check(
        !bad,
        "killed after a file operation: nothing lost, nothing twice, one more run changes nothing",
        detail);
}

static uint64_t count_operations(const char *config, const char *dir)
{
    int fds[2];
    uint64_t n = 0;
    if (pipe(fds))
        return 0;
    pid_t pid = export_start(config, dir, 0, fds[1]);
    close(fds[1]);
    if (read(fds[0], &n, sizeof n) != (ssize_t)sizeof n)
        n = 0;
    close(fds[0]);
    return wait_for(pid) ? 0 : n;
}

int main(void)
{
    char scratch[256], config[512], ready[4096] = "";
    const char *base = getenv("MT_SCRATCH") ? getenv("MT_SCRATCH") : "/tmp";
    uint64_t seed = number("MT_SEED", 20261120);
    struct trial trial;

    setvbuf(stdout, NULL, _IONBF, 0); /* a fork must not inherit text that it would print again */
    snprintf(scratch, sizeof scratch, "%s/moontide-kill-XXXXXX", base);
    if (!mkdtemp(scratch))
        return 1;
    printf("# seed %llu\n", (unsigned long long)seed);
    mt_rand_seed(seed);
    pid_t sandbox = sandbox_start(ready, sizeof ready);
    memset(&trial, 0, sizeof trial);
    trial.config = config;
    trial.appkey = "sandbox#demo";
    trial.user = "agent";
    if (check(sandbox > 0 && write_config(scratch, ready, config, sizeof config),
              "the sandbox listens", ready)) {
        snprintf(trial.dir, sizeof trial.dir, "%s/unbroken", scratch);
        int64_t begin_us = mt_clock_mono_us();
        uint64_t operations = count_operations(config, trial.dir);
        int64_t span_us = mt_clock_mono_us() - begin_us;
        printf("# the unbroken export: %llu file operations, %lld ms\n",
               (unsigned long long)operations, (long long)span_us / 1000);
        if (check(operations > 0 &&
                      digest(trial.dir, trial.appkey, trial.user, trial.want, &trial.want_lines) &&
                      trial.want_lines > 0,
                  "the unbroken export succeeds", "it failed; set MT_VERBOSE=1")) {
            snprintf(trial.dir, sizeof trial.dir, "%s/broken", scratch);
            step_kills(&trial, number("MT_CRASH_STEPS", 60), operations);
            random_kills(&trial, number("MT_CRASH_N", 40), span_us);
        }
    }
    if (sandbox > 0) {
        kill(sandbox, SIGTERM);
        wait_for(sandbox);
    }
    tests_remove(scratch);
    printf("1..%d\n", checks);
    return failures ? 1 : 0;
}
