/* `moontide sandbox`: parses its options, prints the ready line and serves until a signal comes. */
#include "app/sandbox_int.h"

#include "app/app.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"
#include "sandbox/sandbox.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LOAD_MAX 64

static void stop(void *ud, int signum)
{
    (void)signum;
    mt_loop_stop(ud);
}

static int usage(const char *text, const char *value)
{
    fprintf(stderr, "moontide sandbox: %s%s\nTry: moontide sandbox --help\n", text, value);
    return MT_EXIT_USAGE;
}

static bool parse_listen(char *text, struct mt_sandbox_options *options)
{
    char *colon = strrchr(text, ':');
    uint64_t port = 0;

    if (!colon || !mt_str_u64(colon + 1, &port) || port > 65535)
        return false;
    *colon = '\0';
    options->host = *text ? text : NULL;
    options->port = (uint16_t)port;
    return true;
}

static int serve(const struct mt_sandbox_options *options)
{
    struct mt_loop *loop = NULL;
    struct mt_sandbox *sandbox = NULL;
    struct mt_signal *on_int = NULL;
    struct mt_signal *on_term = NULL;
    struct mt_fault fault = {.kind = MT_OK};
    int status = MT_EXIT_FAILED;

    if (mt_loop_new(&loop)) {
        fputs("moontide sandbox: the event loop cannot be made\n", stderr);
        return MT_EXIT_FAILED;
    }
    if (mt_signal_new(loop, SIGINT, stop, loop, &on_int) ||
        mt_signal_new(loop, SIGTERM, stop, loop, &on_term))
        goto out;
    enum mt_rc rc = mt_sandbox_new(loop, options, &sandbox, &fault);
    if (rc) {
        fprintf(stderr, "moontide sandbox: %s\n", fault.message);
        status = rc == MT_ERR_INVALID ? MT_EXIT_USAGE : MT_EXIT_FAILED;
        goto out;
    }
    printf("%s\n", mt_sandbox_ready(sandbox));
    fflush(stdout);
    mt_loop_run(loop);
    status = MT_EXIT_DONE;
out:
    mt_sandbox_free(sandbox);
    mt_signal_free(on_int);
    mt_signal_free(on_term);
    if (mt_loop_free(loop))
        status = MT_EXIT_FAILED;
    return status;
}

int mt_app_sandbox(int argc, char **argv)
{
    static const struct option names[] = {
        {"listen", required_argument, NULL, 'l'},
        {"load", required_argument, NULL, 'L'},
        {"owner", required_argument, NULL, 'o'},
        {"generate", required_argument, NULL, 'g'},
        {"faults", required_argument, NULL, 'f'},
        {"strict-users", no_argument, NULL, 's'},
        {"log-format", required_argument, NULL, 'F'},
        {MT_SANDBOX_SECOND_OPTION, required_argument, NULL, 'r'},
        {"clouds", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct mt_sandbox_options options;
    const char *load[LOAD_MAX + 1];
    size_t load_n = 0;
    int c = 0;

    memset(&options, 0, sizeof options);
    memset(load, 0, sizeof load);
    optind = 0;
    while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        switch (c) {
        case 'l':
            if (!parse_listen(optarg, &options))
                return usage("--listen takes HOST:PORT, not ", optarg);
            break;
        case 'L':
            if (load_n == LOAD_MAX)
                return usage("too many --load", "");
            load[load_n++] = optarg;
            break;
        case 'o':
            options.owner = optarg;
            break;
        case 'g':
            if (!mt_str_u64(optarg, &options.generate_n))
                return usage("--generate takes a number, not ", optarg);
            break;
        case 'f':
            options.faults = optarg;
            break;
        case 'r':
            options.second = optarg;
            break;
        case 'c':
            options.clouds = optarg;
            break;
        case 's':
            options.strict_users = true;
            break;
        case 'F':
            if (strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0)
                return usage("--log-format is text or json, not ", optarg);
            mt_log_format_set(optarg[0] == 'j');
            break;
        case 'h':
            fputs(mt_sandbox_help(), stdout);
            return MT_EXIT_DONE;
        default:
            return usage("unknown or incomplete option", "");
        }
    }
    if (optind < argc)
        return usage("unexpected argument ", argv[optind]);
    options.load = load;
    return serve(&options);
}
