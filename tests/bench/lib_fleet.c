/* See lib_fleet.h. */
#include "lib_fleet.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "sandbox/sandbox.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 10

/* ---------------------------------------------------------------- processes */

static void serve_sandbox(int out)
{
    struct mt_loop *loop = NULL;
    struct mt_sandbox *sandbox = NULL;
    struct mt_sandbox_options options = {.port = 0};
    struct mt_fault fault;
    uint16_t port = 0;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mt_loop_new(&loop) || mt_sandbox_new(loop, &options, &sandbox, &fault))
        _exit(1);
    port = mt_sandbox_port(sandbox);
    if (write(out, &port, sizeof port) != sizeof port)
        _exit(1);
    mt_loop_run(loop);
    _exit(0);
}

uint16_t fleet_sandbox(pid_t *child)
{
    int ends[2];
    uint16_t port = 0;

    *child = 0;
    if (pipe(ends))
        return 0;
    *child = fork();
    if (!*child)
        serve_sandbox(ends[1]);
    (void)close(ends[1]);
    if (*child < 0 || read(ends[0], &port, sizeof port) != sizeof port)
        port = 0;
    (void)close(ends[0]);
    return port;
}

void fleet_kill(pid_t child)
{
    if (child <= 0)
        return;
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

long fleet_rss_kib(void)
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

/* ---------------------------------------------------------------- the fleet */

static void look(struct fleet *fleet)
{
    if (fleet->failed ||
        (fleet->online_n >= fleet->wanted_n && fleet->messages_n >= fleet->wanted_messages_n))
        mt_loop_stop(fleet->loop);
}

static void on_tick(void *ud)
{
    struct fleet *fleet = ud;
    int64_t now_us = mt_clock_mono_us();
    int64_t late_us = now_us - fleet->tick_us - (int64_t)TICK_MS * 1000;
    int64_t cpu_us = mt_clock_cpu_us();
    unsigned connecting = mt_ws_client_count(fleet->ws).connecting_n;

    if (fleet->tick_us && cpu_us - fleet->tick_cpu_us > fleet->busy_us)
        fleet->busy_us = cpu_us - fleet->tick_cpu_us;
    fleet->tick_cpu_us = cpu_us;
    if (fleet->tick_us && late_us > fleet->late_us)
        fleet->late_us = late_us;
    if (connecting > fleet->connecting_max)
        fleet->connecting_max = connecting;
    fleet->tick_us = now_us;
    mt_timer_start(fleet->tick, TICK_MS, 0);
}

bool fleet_begin(struct fleet *fleet, const char *cloud, size_t max, uint16_t rest_port,
                 uint16_t ws_port, const char *ca_file, unsigned connects_per_second)
{
    struct mt_ws_client_options options = {
        .ca_file = ca_file, .connects_per_second = connects_per_second, .https_proxy = ""};

    *fleet = (struct fleet){.provider = mt_provider_find(cloud)};
    if (!fleet->provider) {
        (void)fprintf(stderr, "%s: there is no such cloud\n", cloud);
        return false;
    }
    snprintf(fleet->rest, sizeof fleet->rest, "http://127.0.0.1:%u", (unsigned)rest_port);
    snprintf(fleet->websocket, sizeof fleet->websocket, "%s://127.0.0.1:%u/websocket",
             ca_file ? "wss" : "ws", (unsigned)ws_port);
    fleet->members = calloc(max, sizeof *fleet->members);
    if (!fleet->members || mt_loop_new(&fleet->loop) ||
        mt_http_new(fleet->loop, NULL, &fleet->http, &fleet->fault) ||
        mt_ws_client_new(fleet->loop, &options, &fleet->ws, &fleet->fault) ||
        mt_timer_new(fleet->loop, on_tick, fleet, &fleet->tick)) {
        (void)fprintf(stderr, "%s\n", fleet->fault.message);
        return false;
    }
    mt_timer_start(fleet->tick, TICK_MS, 0);
    return true;
}

void fleet_end(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->members_n; i++)
        fleet->provider->close(fleet->members[i].account);
    mt_timer_free(fleet->tick);
    mt_ws_client_free(fleet->ws);
    mt_http_free(fleet->http);
    if (fleet->loop && mt_loop_free(fleet->loop))
        (void)fprintf(stderr, "something was left on the loop\n");
    free(fleet->members);
}

static void on_batch(void *ud, struct mt_event_batch *batch)
{
    struct fleet_member *member = ud;
    struct fleet *fleet = member->fleet;

    for (size_t i = 0; i < batch->n; i++) {
        const struct mt_event *event = &batch->events[i];
        bool comes = event->type == MT_EVENT_CONNECTED;
        if (event->type == MT_EVENT_MESSAGE) {
            member->messages_n++;
            fleet->messages_n++;
            if (fleet->on_message)
                fleet->on_message(fleet->ud, &event->message);
        }
        if (!comes && event->type != MT_EVENT_DISCONNECTED && event->type != MT_EVENT_KICKED)
            continue;
        if (comes != member->online)
            fleet->online_n += comes ? 1 : (size_t)-1;
        member->online = comes;
    }
    fleet->provider->live->done(member->account, batch);
    look(fleet);
}

static void on_ended(void *ud, const struct mt_fault *fault)
{
    struct fleet *fleet = ((struct fleet_member *)ud)->fleet;

    fleet->fault = *fault;
    fleet->failed = true;
    look(fleet);
}

static bool add(struct fleet *fleet)
{
    static const struct mt_live_handlers handlers = {on_batch, on_ended};
    struct fleet_member *member = &fleet->members[fleet->members_n];
    struct mt_live_options options = {.ws = fleet->ws};
    char user[32];

    snprintf(user, sizeof user, "u%zu", fleet->members_n);
    bool easemob = !strcmp(fleet->provider->name, "easemob");
    const char *navigators[] = {fleet->rest, NULL};
    char token[64];
    snprintf(token, sizeof token, "sandbox-%s", user);
    struct mt_secret *secret =
        easemob ? mt_secret_new("secret", 6) : mt_secret_new(token, strlen(token));
    struct mt_account_config config = {.name = user,
                                       .provider = fleet->provider->name,
                                       .appkey = easemob ? "sandbox#demo" : "sandbox",
                                       .user = user,
                                       .rate_per_s = -1};
    if (easemob) {
        config.password = secret;
        config.rest = fleet->rest;
        config.websocket = fleet->websocket;
    } else {
        config.token = secret;
        config.navigators = navigators;
    }
    *member = (struct fleet_member){.fleet = fleet};
    enum mt_rc rc =
        fleet->provider->open(fleet->loop, fleet->http, &config, &member->account, &fleet->fault);
    mt_secret_free(secret);
    if (rc)
        return false;
    fleet->members_n++;
    return !fleet->provider->live->start(member->account, &options, &handlers, member,
                                         &fleet->fault);
}

bool fleet_add(struct fleet *fleet, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!add(fleet)) {
            (void)fprintf(stderr, "%s\n", fleet->fault.message);
            return false;
        }
        if (i % 100 == 99) /* a program that opens thousands lets its loop turn meanwhile */
            (void)mt_loop_turn(fleet->loop);
    }
    return true;
}

static void on_deadline(void *ud)
{
    mt_loop_stop(((struct fleet *)ud)->loop);
}

static void run(struct fleet *fleet, int64_t ms)
{
    struct mt_timer *deadline = NULL;

    if (mt_timer_new(fleet->loop, on_deadline, fleet, &deadline))
        return;
    mt_timer_start(deadline, ms, 0);
    mt_loop_run(fleet->loop);
    mt_timer_free(deadline);
}

bool fleet_wait(struct fleet *fleet, unsigned long messages_n, int64_t ms)
{
    fleet->wanted_n = fleet->members_n;
    fleet->wanted_messages_n = messages_n;
    if (fleet->online_n < fleet->wanted_n || fleet->messages_n < messages_n)
        run(fleet, ms);
    bool there = fleet->online_n >= fleet->wanted_n && fleet->messages_n >= messages_n;
    if (fleet->failed || !there)
        (void)fprintf(stderr, "%zu of %zu online, %lu of %lu messages; %s\n", fleet->online_n,
                      fleet->wanted_n, fleet->messages_n, messages_n, fleet->fault.message);
    fleet->wanted_n = SIZE_MAX;
    return there && !fleet->failed;
}

void fleet_rest(struct fleet *fleet, int64_t ms)
{
    fleet->wanted_n = SIZE_MAX;
    run(fleet, ms);
}

/* ---------------------------------------------------------------- doing */

struct answer {
    struct fleet *fleet;
    bool good;
};

static void on_answer(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                      const struct mt_fault *fault)
{
    struct answer *answer = ud;

    (void)fault;
    answer->good = rc == MT_OK && response->status == 200;
    mt_loop_stop(answer->fleet->loop);
}

bool fleet_post(struct fleet *fleet, const char *path)
{
    struct answer answer = {.fleet = fleet};
    char url[256];

    snprintf(url, sizeof url, "%s%s", fleet->rest, path);
    fleet->wanted_n = SIZE_MAX;
    if (mt_http_start(fleet->http,
                      &(struct mt_http_request){
                          .method = "POST", .url = url, .body = "", .attempt_ms = 60000},
                      on_answer, &answer, NULL, &fleet->fault))
        return false;
    mt_loop_run(fleet->loop);
    return answer.good;
}

static void on_sent(void *ud, enum mt_rc rc, const struct mt_sent *sent,
                    const struct mt_fault *fault)
{
    struct fleet *fleet = ud;

    (void)sent;
    if (!rc)
        return;
    fleet->fault = *fault;
    fleet->failed = true;
}

bool fleet_say(struct fleet *fleet, size_t from, size_t to, const char *text)
{
    struct mt_outgoing message = {.to = {.kind = MT_CONVERSATION_SINGLE},
                                  .kind = MT_MESSAGE_TEXT,
                                  .text = text,
                                  .text_len = strlen(text),
                                  .body = {.type = MT_VALUE_MAP}};
    struct mt_provider_call *call = NULL;

    snprintf(message.to.target, sizeof message.to.target, "u%zu", to);
    return !fleet->provider->live->send(fleet->members[from].account, &message, on_sent, fleet,
                                        &call);
}
