/* What a live session costs, and what it takes to bring all of them back: thousands of accounts in
 * this process, a sandbox in another. Memory for each that is idle; then all are cut at once, and
 * come back at the pace of the client, while a timer of 10 ms looks at its own delay.
 * bench-sessions [plain|tls|rongcloud [SESSIONS [CONNECTS_PER_SECOND]]]. One line of JSON. */
#include "lib_fleet.h"

#include "base/clock.h"
#include "tests/unit/http/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM 100 /* what is paid once */

struct figures {
    double open_s, back_s, ramp_s;
    double open_cpu_us, idle_cpu_us, back_cpu_us;
    long idle_kib, heard_kib, back_kib;
    struct delay {
        double late_ms, busy_ms;
    } open, idle, back;
    unsigned connecting_max;
};

static struct delay delay(struct fleet *fleet)
{
    struct delay delay = {(double)fleet->late_us / 1000, (double)fleet->busy_us / 1000};

    fleet->late_us = fleet->busy_us = 0;
    return delay;
}

static double seconds_since(int64_t us)
{
    return (double)(mt_clock_mono_us() - us) / 1e6;
}

static bool measure(struct fleet *fleet, size_t n, double per_second, struct figures *f)
{
    int64_t most_ms = 30000 + (int64_t)(3000.0 * (double)n / per_second);

    if (!fleet_add(fleet, WARM) || !fleet_wait(fleet, 0, most_ms))
        return false;
    fleet_rest(fleet, 200);
    long before_kib = fleet_rss_kib();
    int64_t start_us = mt_clock_mono_us();
    int64_t cpu_us = mt_clock_cpu_us();
    (void)delay(fleet);
    if (!fleet_add(fleet, n) || !fleet_wait(fleet, 0, most_ms))
        return false;
    f->open_s = seconds_since(start_us);
    f->open_cpu_us = (double)(mt_clock_cpu_us() - cpu_us) / (double)n;
    f->open = delay(fleet);
    cpu_us = mt_clock_cpu_us();
    fleet_rest(fleet, 10000);
    f->idle_cpu_us = (double)(mt_clock_cpu_us() - cpu_us) / 10 / (double)n;
    f->idle = delay(fleet);
    f->idle_kib = fleet_rss_kib() - before_kib;

    if (!fleet_post(fleet, "/sandbox/cut"))
        return false;
    start_us = mt_clock_mono_us();
    cpu_us = mt_clock_cpu_us();
    if (!fleet_wait(fleet, 0, most_ms))
        return false;
    f->back_s = seconds_since(start_us);
    f->ramp_s = (double)fleet->members_n / per_second;
    f->back_cpu_us = (double)(mt_clock_cpu_us() - cpu_us) / (double)n;
    f->back = delay(fleet);
    f->back_kib = fleet_rss_kib() - before_kib;

    for (size_t i = 0; i < fleet->members_n; i++)
        if (!fleet_say(fleet, i, (i + 1) % fleet->members_n, "hello") ||
            (i % 200 == 199 && !fleet_wait(fleet, i / 2, 60000)))
            return false;
    if (!fleet_wait(fleet, fleet->members_n, 60000))
        return false;
    fleet_rest(fleet, 1000);
    f->heard_kib = fleet_rss_kib() - before_kib;
    f->connecting_max = fleet->connecting_max;
    return true;
}

static void print(const char *name, size_t n, const struct figures *f)
{
    (void)printf("{\"name\":\"sessions-%s\",\"sessions\":%zu,\"kib_each\":%.2f,"
                 "\"kib_each_back\":%.2f,\"kib_each_heard\":%.2f,",
                 name, n, (double)f->idle_kib / (double)n, (double)f->back_kib / (double)n,
                 (double)f->heard_kib / (double)n);
    (void)printf("\"open_s\":%.1f,\"open_cpu_us\":%.0f,\"open_late_ms\":%.1f,"
                 "\"open_busy_ms\":%.1f,\"idle_cpu_us_per_s\":%.1f,\"idle_late_ms\":%.1f,"
                 "\"idle_busy_ms\":%.1f,",
                 f->open_s, f->open_cpu_us, f->open.late_ms, f->open.busy_ms, f->idle_cpu_us,
                 f->idle.late_ms, f->idle.busy_ms);
    (void)printf("\"ramp_s\":%.1f,\"back_s\":%.1f,\"back_cpu_us\":%.0f,\"back_late_ms\":%.1f,"
                 "\"back_busy_ms\":%.1f,\"connecting_max\":%u}\n",
                 f->ramp_s, f->back_s, f->back_cpu_us, f->back.late_ms, f->back.busy_ms,
                 f->connecting_max);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "plain";
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000;
    unsigned per_second = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 500;
    bool tls = !strcmp(name, "tls");
    struct certs certs;
    char cert[128], key[128], ca[128];
    struct figures figures = {.open_s = 0};
    struct fleet fleet;
    pid_t sandbox = 0, relay = 0;
    uint16_t port = fleet_sandbox(&sandbox);
    uint16_t ws_port = port;
    int status = EXIT_FAILURE;

    if (tls) {
        certs_make(&certs);
        ws_port = fleet_tls(certs_path(&certs, CERT_GOOD, "pem", cert),
                            certs_path(&certs, CERT_GOOD, "key", key), port, &relay);
    }
    if (port && ws_port && per_second &&
        fleet_begin(&fleet, strcmp(name, "rongcloud") ? "easemob" : name, WARM + n, port, ws_port,
                    tls ? certs_ca(&certs, ca) : NULL, per_second)) {
        if (measure(&fleet, n, per_second, &figures)) {
            print(name, n, &figures);
            status = EXIT_SUCCESS;
        }
        fleet_end(&fleet);
    }
    fleet_kill(relay);
    fleet_kill(sandbox);
    if (tls)
        certs_remove(&certs);
    return status;
}
