/* Asks an echo: so many messages a second, evenly, from accounts of this process to one user, who
 * sends each back. From the call that sends to the event that brings it back, and what the echo's
 * process and the sandbox's have used of the CPU for it.
 * bench-echo NAME PORT USER ECHO_PID SANDBOX_PID [PER_SECOND [SECONDS [SENDERS [CLOUD]]]]. One line
 * of JSON. */
#include "lib_fleet.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARM_S   2
#define DRAIN_MS 20000

struct echo {
    struct fleet fleet;
    struct mt_timer *pace;
    const char *user;
    double per_second;
    int64_t begin_us;
    size_t want_n, sent_n, back_n, warm_n, unknown_n;
    int64_t *sent_us; /* by number; 0: came back */
    double *ms;       /* of those that came back after the warming up */
    size_t ms_n;
};

static double cpu_of(long pid)
{
    char path[64], line[1024] = "";
    unsigned long user = 0, kernel = 0;

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (file && fgets(line, sizeof line, file)) {
        const char *at = strrchr(line, ')');
        if (at)
            (void)sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                         &kernel);
    }
    if (file)
        (void)fclose(file);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static void on_sent(void *ud, enum mt_rc rc, const struct mt_sent *sent,
                    const struct mt_fault *fault)
{
    struct echo *echo = ud;

    (void)sent;
    if (rc && !echo->unknown_n++)
        (void)fprintf(stderr, "%s\n", fault->message);
}

static void send_one(struct echo *echo)
{
    size_t n = echo->sent_n++;
    char text[64];
    struct mt_provider_call *call = NULL;
    struct mt_outgoing message = {.to = {.kind = MT_CONVERSATION_SINGLE},
                                  .kind = MT_MESSAGE_TEXT,
                                  .text = text,
                                  .body = {.type = MT_VALUE_MAP}};

    snprintf(message.to.target, sizeof message.to.target, "%s", echo->user);
    message.text_len = (size_t)snprintf(text, sizeof text, "%zu and some words", n);
    echo->sent_us[n] = mt_clock_mono_us();
    struct fleet_member *member = &echo->fleet.members[n % echo->fleet.members_n];
    if (echo->fleet.provider->live->send(member->account, &message, on_sent, echo, &call))
        echo->unknown_n++;
}

static void on_pace(void *ud)
{
    struct echo *echo = ud;
    double s = (double)(mt_clock_mono_us() - echo->begin_us) / 1e6;
    size_t due = (size_t)(s * echo->per_second);

    while (echo->sent_n < due && echo->sent_n < echo->want_n)
        send_one(echo);
    if (echo->sent_n < echo->want_n)
        mt_timer_start(echo->pace, 1, 0);
}

static void on_message(void *ud, const struct mt_message *message)
{
    struct echo *echo = ud;
    size_t n = message->text ? strtoul(message->text, NULL, 10) : SIZE_MAX;

    if (n >= echo->sent_n || !echo->sent_us[n])
        return;
    if (n >= echo->warm_n)
        echo->ms[echo->ms_n++] = (double)(mt_clock_mono_us() - echo->sent_us[n]) / 1000;
    echo->sent_us[n] = 0;
    if (++echo->back_n == echo->want_n)
        mt_loop_stop(echo->fleet.loop);
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static double part(const struct echo *echo, double share)
{
    size_t at = (size_t)((double)echo->ms_n * share);

    return echo->ms_n ? echo->ms[at < echo->ms_n ? at : echo->ms_n - 1] : -1;
}

static bool run(struct echo *echo, const char *name, long pid, long sandbox_pid, size_t senders,
                int seconds)
{
    if (!fleet_add(&echo->fleet, senders) || !fleet_wait(&echo->fleet, 0, 60000) ||
        mt_timer_new(echo->fleet.loop, on_pace, echo, &echo->pace))
        return false;
    echo->fleet.on_message = on_message;
    echo->fleet.ud = echo;
    fleet_rest(&echo->fleet, 500);
    double cpu = cpu_of(pid), sandbox_cpu = cpu_of(sandbox_pid);
    int64_t own_us = mt_clock_cpu_us();
    echo->begin_us = mt_clock_mono_us();
    mt_timer_start(echo->pace, 1, 0);
    fleet_rest(&echo->fleet, (int64_t)(WARM_S + seconds) * 1000 + DRAIN_MS);
    double wall = (double)(mt_clock_mono_us() - echo->begin_us) / 1e6;
    cpu = cpu_of(pid) - cpu;
    sandbox_cpu = cpu_of(sandbox_pid) - sandbox_cpu;
    own_us = mt_clock_cpu_us() - own_us;
    qsort(echo->ms, echo->ms_n, sizeof *echo->ms, by_size);
    (void)printf("{\"name\":\"%s\",\"per_second\":%.0f,\"sent\":%zu,\"back\":%zu,\"p50_ms\":%.2f,"
                 "\"p99_ms\":%.2f,\"max_ms\":%.2f,\"wall_s\":%.2f,\"cpu_s\":%.2f,"
                 "\"messages_per_cpu_s\":%.0f,\"sandbox_cpu_s\":%.2f,\"asker_cpu_s\":%.2f}\n",
                 name, echo->per_second, echo->sent_n, echo->back_n, part(echo, 0.5),
                 part(echo, 0.99), part(echo, 1), wall, cpu, (double)echo->back_n / cpu,
                 sandbox_cpu, (double)own_us / 1e6);
    mt_timer_free(echo->pace);
    return echo->back_n == echo->want_n;
}

int main(int argc, char **argv)
{
    static struct echo echo;
    int status = EXIT_FAILURE;

    if (argc < 6)
        return EXIT_FAILURE;
    uint16_t port = (uint16_t)strtoul(argv[2], NULL, 10);
    int seconds = argc > 7 ? (int)strtol(argv[7], NULL, 10) : 10;
    const char *cloud = argc > 9 ? argv[9] : "easemob";
    size_t senders = argc > 8 ? strtoul(argv[8], NULL, 10) : 50;

    echo.per_second = argc > 6 ? strtod(argv[6], NULL) : 2000;
    echo.want_n = (size_t)(echo.per_second * (WARM_S + seconds));
    echo.warm_n = (size_t)(echo.per_second * WARM_S);
    echo.user = argv[3];
    echo.sent_us = calloc(echo.want_n, sizeof *echo.sent_us);
    echo.ms = calloc(echo.want_n, sizeof *echo.ms);
    if (echo.sent_us && echo.ms &&
        fleet_begin(&echo.fleet, cloud, senders, port, port, NULL, 500)) {
        if (run(&echo, argv[1], strtol(argv[4], NULL, 10), strtol(argv[5], NULL, 10), senders,
                seconds))
            status = EXIT_SUCCESS;
        fleet_end(&echo.fleet);
    }
    free(echo.sent_us);
    free(echo.ms);
    return status;
}
