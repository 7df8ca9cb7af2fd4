/* What a WebSocket connection of the client half of ws costs: memory of this process for each one
 * that is open and idle, CPU and time to make it. The server is a process of its own.
 * bench-ws_clients [CONNECTIONS [URL [CA_FILE]]]: without URL, our own server. */
#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "ws/client.h"
#include "ws/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct tally {
    struct mt_loop *loop;
    unsigned long wanted, open_n, closed_n;
    struct mt_fault fault;
};

static bool take(void *ud, struct mt_ws_peer *peer, const char *path, const char *query,
                 void **peer_ud)
{
    (void)ud;
    (void)peer;
    (void)path;
    (void)query;
    (void)peer_ud;
    return true;
}

static void serve(int out)
{
    struct mt_loop *loop = NULL;
    struct mt_ws_server *server = NULL;
    struct mt_ws_server_options options = {.host = "127.0.0.1"};
    struct mt_ws_server_handlers handlers = {.open = take};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mt_loop_new(&loop) != MT_OK ||
        mt_ws_server_new(loop, &options, &handlers, NULL, &server, NULL) != MT_OK)
        _exit(1);
    uint16_t port = mt_ws_server_port(server);
    if (write(out, &port, sizeof port) != sizeof port)
        _exit(1);
    mt_loop_run(loop);
    _exit(0);
}

static long rss_kib(void)
{
    char line[128];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (file != NULL)
        (void)fclose(file);
    return kib;
}

static void on_open(void *ud, struct mt_ws_conn *conn)
{
    struct tally *tally = ud;
    (void)conn;
    if (++tally->open_n == tally->wanted)
        mt_loop_stop(tally->loop);
}

static void on_closed(void *ud, struct mt_ws_conn *conn, uint16_t code,
                      const struct mt_fault *fault)
{
    struct tally *tally = ud;
    (void)conn;
    (void)code;
    tally->closed_n++;
    if (fault != NULL && fault->kind != MT_ERR_CANCELLED)
        tally->fault = *fault;
    mt_loop_stop(tally->loop);
}

static int open_all(struct mt_ws_client *client, struct tally *tally, unsigned long n,
                    const char *url)
{
    static const struct mt_ws_conn_handlers handlers = {.open = on_open, .closed = on_closed};
    struct mt_ws_conn_options options = {.url = url, .connect_timeout_ms = 60000};
    struct mt_ws_conn *conn = NULL;
    tally->wanted = tally->open_n + n;
    for (unsigned long i = 0; i < n; i++) {
        if (mt_ws_conn_open(client, &options, &handlers, tally, &conn, &tally->fault) != MT_OK)
            return -1;
    }
    mt_loop_run(tally->loop);
    return tally->closed_n > 0 ? -1 : 0;
}

static int measure(struct mt_ws_client *client, struct tally *tally, unsigned long n,
                   const char *url)
{
    if (open_all(client, tally, 50, url) != 0) /* what is paid once */
        return -1;
    long before_kib = rss_kib();
    int64_t start_us = mt_clock_mono_us();
    int64_t cpu_us = mt_clock_cpu_us();
    if (open_all(client, tally, n, url) != 0)
        return -1;
    double wall = (double)(mt_clock_mono_us() - start_us) / 1e6;
    cpu_us = mt_clock_cpu_us() - cpu_us;
    long kib = rss_kib() - before_kib;
    (void)printf("{\"bench\":\"ws_clients\",\"connections\":%lu,\"wall_s\":%.2f,"
                 "\"connects_per_s\":%.0f,\"cpu_us_each\":%.0f,\"rss_kib_each\":%.2f}\n",
                 n, wall, (double)n / wall, (double)cpu_us / (double)n, (double)kib / (double)n);
    return 0;
}

int main(int argc, char **argv)
{
    struct tally tally = {0};
    struct mt_ws_client *client = NULL;
    struct mt_ws_client_options options = {.max_connecting = 128, .connects_per_second = 100000};
    unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000;
    char url[256] = "";
    int status = EXIT_FAILURE;
    int ends[2];
    uint16_t port = 0;
    pid_t child = 0;
    if (argc > 2) {
        (void)snprintf(url, sizeof url, "%s", argv[2]);
        options.ca_file = argc > 3 ? argv[3] : NULL;
    } else {
        if (pipe(ends) != 0 || (child = fork()) < 0)
            return EXIT_FAILURE;
        if (child == 0)
            serve(ends[1]);
        (void)close(ends[1]);
        if (read(ends[0], &port, sizeof port) != sizeof port)
            return EXIT_FAILURE;
        (void)snprintf(url, sizeof url, "ws://127.0.0.1:%u/", port);
    }
    if (mt_loop_new(&tally.loop) == MT_OK &&
        mt_ws_client_new(tally.loop, &options, &client, &tally.fault) == MT_OK &&
        measure(client, &tally, n, url) == 0)
        status = EXIT_SUCCESS;
    else
        (void)fprintf(stderr, "%s\n", tally.fault.message);
    mt_ws_client_free(client);
    if (mt_loop_free(tally.loop) != MT_OK)
        status = EXIT_FAILURE;
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    return status;
}
