/* A day in the life of two hundred live accounts, in minutes: the clock seam lets the day pass, the
 * sandbox in a process of its own lives through the same. TAP. MT_SOAK_HOURS of simulated time
 * (default 0.5), MT_SOAK_SPEED (default 144), MT_SOAK_SEED, MT_SOAK_MESSAGES (default 40,000 an
 * hour). `make soak` takes 24 hours. */
#include "lib_soak.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTING 50
#define TOKEN_MS   600000 /* a token lives so long at least */

static double setting(const char *name, double otherwise)
{
    const char *text = getenv(name);
    double value = text ? strtod(text, NULL) : 0;

    return value > 0 ? value : otherwise;
}

/* ---------------------------------------------------------------- the sandbox */

static void serve(int out, int64_t token_ms)
{
    struct mt_loop *loop = NULL;
    struct mt_sandbox *sandbox = NULL;
    char faults[96];
    struct mt_sandbox_options options = {.faults = faults};
    struct mt_fault fault;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(faults, sizeof faults, "token_ttl=%" PRId64 "s,p5xx=0.05,only=/token",
             token_ms / 1000);
    if (mt_loop_new(&loop) || mt_sandbox_new(loop, &options, &sandbox, &fault))
        _exit(1);
    uint16_t port = mt_sandbox_port(sandbox);
    if (write(out, &port, sizeof port) != sizeof port)
        _exit(1);
    mt_loop_run(loop);
    _exit(0);
}

static uint16_t start_sandbox(pid_t *child, int64_t token_ms)
{
    int ends[2];
    uint16_t port = 0;

    if (pipe(ends))
        return 0;
    *child = fork();
    if (!*child)
        serve(ends[1], token_ms);
    (void)close(ends[1]);
    if (read(ends[0], &port, sizeof port) != sizeof port)
        port = 0;
    (void)close(ends[0]);
    return port;
}

static void on_posted(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                      const struct mt_fault *fault)
{
    size_t *left_n = ud;

    if (rc || response->status != 200) {
        (void)printf("Bail out! the sandbox answers with %d: %s\n", response->status,
                     rc ? fault->message : response->body);
        exit(EXIT_FAILURE);
    }
    if (left_n)
        --*left_n;
}

static void post(struct soak *soak, const char *path, const char *body, size_t *left_n)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    char url[128];
    struct mt_fault fault;

    snprintf(url, sizeof url, "%s%s", soak->rest, path);
    if (mt_http_start(soak->http,
                      &(struct mt_http_request){.method = "POST",
                                                .url = url,
                                                .headers = headers,
                                                .bearer = soak->owner,
                                                .body = body,
                                                .body_len = strlen(body)},
                      on_posted, left_n, NULL, &fault))
        abort();
}

static void make_groups(struct soak *soak)
{
    size_t left_n = GROUPS;

    for (int g = 0; g < GROUPS; g++) {
        char body[512];
        int len = snprintf(body, sizeof body,
                           "{\"groupname\":\"g\",\"groupid\":\"90000%d\",\"members\":[", 100 + g);
        for (int i = 0; i < GROUP_SIZE; i++)
            len += snprintf(body + len, sizeof body - (size_t)len, "%s\"u%d\"", i ? "," : "",
                            g * GROUP_SIZE + i);
        snprintf(body + len, sizeof body - (size_t)len, "]}");
        post(soak, "/sandbox/demo/chatgroups", body, &left_n);
    }
    while (left_n > 0)
        (void)mt_loop_turn(soak->loop);
}

/* ---------------------------------------------------------------- what happens */

static void on_post(void *ud)
{
    struct soak *soak = ud;
    int64_t now_ms = mt_clock_mono_ms();
    double due = (double)(now_ms - soak->posted_ms) / 1000 * soak->per_second;

    if (soak->quiet || due < 1)
        return;
    soak->posted_ms = now_ms;
    for (int i = 0; i < (int)due && i < 500; i++) {
        struct user *user = &soak->users[soak_dice(soak, USERS)];
        if (user->live && user->account)
            soak_user_write(user);
    }
}

static void on_churn(void *ud)
{
    struct soak *soak = ud;
    struct user *user = &soak->users[soak_dice(soak, USERS)];
    char body[32];

    if (soak->quiet)
        return;
    if (user->live)
        soak_user_leave(user, 1000 + (int64_t)soak_dice(soak, 300000), soak_dice(soak, 4) == 0);
    user = &soak->users[soak_dice(soak, USERS)];
    if (soak_dice(soak, 20) || !user->online)
        return;
    snprintf(body, sizeof body, "u%zu %d", (size_t)(user - soak->users),
             (int)soak_dice(soak, 4) + 1);
    soak->kicks_n++;
    post(soak, "/sandbox/kick", body, NULL);
}

static void on_cutter(void *ud)
{
    struct soak *soak = ud;

    if (!soak->quiet) {
        soak->cuts_n++;
        post(soak, "/sandbox/cut", "", NULL);
    }
    mt_timer_start(soak->cutter, 60000 + (int64_t)soak_dice(soak, 180000), 0);
}

/* ---------------------------------------------------------------- coming home */

static unsigned entries_of(const char *path)
{
    unsigned n = 0;
    DIR *dir = opendir(path);

    while (dir && readdir(dir))
        n++;
    if (dir)
        (void)closedir(dir);
    return n;
}

static long rss_kib(void)
{
    char line[128];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "VmRSS:", 6))
            kib = strtol(line + 6, NULL, 10);
    if (file)
        (void)fclose(file);
    return kib;
}

static uint16_t wanted(const struct letter *letter)
{
    unsigned all = letter->to >= USERS ? (1u << GROUP_SIZE) - 1 : 1;

    return (uint16_t)(letter->to >= USERS ? all & ~(1u << letter->from % GROUP_SIZE) : all);
}

static size_t missing_of(const struct soak *soak)
{
    size_t n = 0;

    for (size_t i = 0; i < soak->letters_n; i++)
        n += soak->letters[i].fate == FATE_SENT &&
             (soak->letters[i].got & wanted(&soak->letters[i])) != wanted(&soak->letters[i]);
    return n;
}

static bool is_home(const struct soak *soak)
{
    for (size_t i = 0; i < USERS; i++)
        if (!soak->users[i].online)
            return false;
    return !soak->pending_n && !soak->held && missing_of(soak) == 0;
}

static void sample(struct soak *soak)
{
    struct sample *s = &soak->samples[soak->periods_n++];

    s->blocks = mt_mem_seam_live();
    s->rss_kib = rss_kib();
    s->files = entries_of("/proc/self/fd");
    s->threads = entries_of("/proc/self/task");
    (void)printf("# %zu: %zu messages, %zu connects, %" PRId64 " blocks, %ld KiB, %u files, %u "
                 "threads\n",
                 soak->periods_n, soak->letters_n, soak->connects_n, s->blocks, s->rss_kib,
                 s->files, s->threads);
    (void)fflush(stdout);
}

static void on_watch(void *ud)
{
    struct soak *soak = ud;
    int64_t now_ms = mt_clock_mono_ms();
    unsigned connecting = mt_ws_client_count(soak->ws).connecting_n;

    if (connecting > soak->connecting_max)
        soak->connecting_max = connecting;
    if (!soak->quiet && now_ms - soak->quiet_since_ms >= soak->period_ms) {
        soak->quiet = true;
        soak->quiet_since_ms = now_ms;
    }
    if (!soak->quiet)
        return;
    /* Half a minute for everything to come to rest; an hour, and what is missing is missing. */
    bool settled = now_ms - soak->quiet_since_ms >= 30000 && is_home(soak);
    if (!settled && now_ms - soak->quiet_since_ms < 3600000)
        return;
    sample(soak);
    if (soak->periods_n == PERIODS || !settled) {
        mt_loop_stop(soak->loop);
        return;
    }
    soak->quiet = false;
    soak->quiet_since_ms = soak->posted_ms = now_ms;
}

/* ---------------------------------------------------------------- the sum */

static int count, failed;

static void check(bool good, const char *what)
{
    (void)printf("%s %d - %s\n", good ? "ok" : "not ok", ++count, what);
    failed += !good;
}

static void tell_missing(const struct soak *soak)
{
    int told = 0;

    for (size_t i = 0; i < soak->letters_n && told < 10; i++) {
        const struct letter *letter = &soak->letters[i];
        if (letter->fate != FATE_SENT || (letter->got & wanted(letter)) == wanted(letter))
            continue;
        (void)printf("#   %zu from u%u to %u: had by %x of %x\n", i, letter->from, letter->to,
                     letter->got, wanted(letter));
        told++;
    }
}

static void silent(void *ud, enum mt_log_level level, const char *line)
{
    (void)ud;
    (void)level;
    (void)line;
}

/* A sample falls now and then into a moment when each session has something in hand. What is never
 * given back is there in all of them. */
static int64_t least_blocks(const struct soak *soak, size_t from)
{
    int64_t least = INT64_MAX;

    for (size_t i = from; i < from + LOOKS; i++)
        if (soak->samples[i].blocks < least)
            least = soak->samples[i].blocks;
    return least;
}

static void judge(const struct soak *soak)
{
    const struct sample *first = &soak->samples[WARM], *last = &soak->samples[PERIODS - 1];
    size_t fates[4] = {0};
    char text[200];

    for (size_t i = 0; i < soak->letters_n; i++)
        fates[soak->letters[i].fate]++;
    (void)printf("# %zu sent, %zu unknown, %zu not sent; %zu connects, %zu times all were cut, %zu "
                 "kicks, %zu users left, %zu of them closed; %zu tokens about to expire\n",
                 fates[FATE_SENT], fates[FATE_UNKNOWN], fates[FATE_NOT_SENT], soak->connects_n,
                 soak->cuts_n, soak->kicks_n, soak->leaves_n, soak->reopens_n, soak->expiring_n);
    check(soak->periods_n == PERIODS, "every time all came home");
    snprintf(text, sizeof text, "of %zu messages %zu are missing", soak->letters_n,
             missing_of(soak));
    check(soak->letters_n > 0 && missing_of(soak) == 0, text);
    tell_missing(soak);
    snprintf(
        text, sizeof text,
        "%zu handled twice within one life of a session (%zu after a new start, as documented)",
        soak->again_same_life_n, soak->again_other_life_n);
    check(soak->again_same_life_n == 0 && soak->again_other_life_n <= soak->leaves_n * 50, text);
    snprintf(text, sizeof text,
             "%zu received that were not sent, %zu by others, %zu sends without an end",
             soak->unwanted_n, soak->strange_n, fates[FATE_OPEN]);
    check(soak->unwanted_n == 0 && soak->strange_n == 0 && fates[FATE_OPEN] == 0, text);
    check(soak->overflows_n == 0, "no queue overflowed");
    check(soak->expiring_n > 0 && soak->cuts_n > 0 && soak->reopens_n > 0,
          "tokens were renewed, connections cut, accounts closed");
    check(soak->connecting_max <= CONNECTING, "connects in progress are capped");
    if (soak->periods_n < PERIODS)
        return;
    int64_t before = least_blocks(soak, WARM);
    int64_t after = least_blocks(soak, PERIODS - LOOKS);
    snprintf(text, sizeof text, "memory is flat: %" PRId64 " blocks, then %" PRId64, before, after);
    check(after <= before + before / 50, text);
    snprintf(text, sizeof text, "memory is flat: %ld KiB, then %ld", first->rss_kib, last->rss_kib);
#ifndef MT_DEBUG /* there freed memory is kept for a while, to find its use */
    check(last->rss_kib <= first->rss_kib + first->rss_kib / 50 + 1024, text);
#endif
    check(last->files <= first->files + 4 && last->threads == first->threads,
          "files and threads are as many as before");
}

/* ---------------------------------------------------------------- all of it */

static bool begin(struct soak *soak, double hours)
{
    struct mt_ws_client_options options = {.https_proxy = "", .max_connecting = CONNECTING};
    struct mt_fault fault;

    soak->provider = mt_provider_find("easemob");
    soak->owner = mt_secret_new("sandbox-admin", 13);
    soak->letters = calloc(soak->letters_max, sizeof *soak->letters);
    if (!soak->letters || mt_loop_new(&soak->loop) ||
        mt_http_new(soak->loop, NULL, &soak->http, &fault) ||
        mt_ws_client_new(soak->loop, &options, &soak->ws, &fault) ||
        mt_timer_new(soak->loop, on_post, soak, &soak->post) ||
        mt_timer_new(soak->loop, on_churn, soak, &soak->churn) ||
        mt_timer_new(soak->loop, on_cutter, soak, &soak->cutter) ||
        mt_timer_new(soak->loop, soak_hands, soak, &soak->hands) ||
        mt_timer_new(soak->loop, on_watch, soak, &soak->watch))
        return false;
    memset(soak->letters, 1, soak->letters_max * sizeof *soak->letters); /* resident from now on */
    make_groups(soak);
    for (size_t i = 0; i < USERS; i++)
        if (!soak_user_open(soak, i) || !soak_user_start(&soak->users[i]))
            return false;
    soak->period_ms = (int64_t)(hours * 3600000 / PERIODS);
    soak->quiet_since_ms = soak->posted_ms = mt_clock_mono_ms();
    mt_timer_start(soak->post, 1000, 1000);
    mt_timer_start(soak->churn, 20000, 20000);
    mt_timer_start(soak->cutter, 60000, 0);
    mt_timer_start(soak->hands, 2000, 2000);
    mt_timer_start(soak->watch, 5000, 5000);
    return true;
}

static void end(struct soak *soak)
{
    struct mt_timer *timers[] = {soak->post, soak->churn, soak->cutter, soak->hands, soak->watch};

    while (soak->held)
        soak_hands(soak);
    for (size_t i = 0; i < USERS; i++) {
        if (soak->users[i].account)
            soak->provider->close(soak->users[i].account);
        mt_timer_free(soak->users[i].away);
    }
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
        mt_timer_free(timers[i]);
    mt_ws_client_free(soak->ws);
    mt_http_free(soak->http);
    check(!soak->loop || mt_loop_free(soak->loop) == MT_OK, "nothing is left on the loop");
    mt_secret_free(soak->owner);
    free(soak->letters);
}

int main(void)
{
    static struct soak soak;
    double hours = setting("MT_SOAK_HOURS", 0.5);
    double an_hour = setting("MT_SOAK_MESSAGES", 40000);
    unsigned speed = (unsigned)setting("MT_SOAK_SPEED", 144);
    pid_t child = 0;

    soak.dice = (uint64_t)setting("MT_SOAK_SEED", (double)(mt_clock_wall_ms() % 1000000 + 1));
    (void)printf("# MT_SOAK_SEED=%" PRIu64 ", %.1f hours at %u times the speed\n", soak.dice, hours,
                 speed);
    soak.per_second = an_hour / 3600;
    soak.letters_max = (size_t)(an_hour * hours * 2) + 10000;
    mt_log_sink_set(silent, NULL);
    mt_clock_seam_speed(speed);
    int64_t token_ms = (int64_t)(hours * 3600000 / 12);
    uint16_t port = start_sandbox(&child, token_ms > TOKEN_MS ? token_ms : TOKEN_MS);
    snprintf(soak.rest, sizeof soak.rest, "http://127.0.0.1:%u", (unsigned)port);
    snprintf(soak.websocket, sizeof soak.websocket, "ws://127.0.0.1:%u/websocket", (unsigned)port);
    if (port && begin(&soak, hours)) {
        mt_loop_run(soak.loop);
        judge(&soak);
    } else {
        check(false, "the soak begins");
    }
    end(&soak);
    (void)printf("1..%d\n", count);
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
