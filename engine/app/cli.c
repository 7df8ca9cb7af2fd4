/* The command line: which verb is meant, what belongs to the program and what to the verb's script.
 */
#include "app/app.h"
#include "app/run_int.h"
#include "app/sandbox_int.h"
#include "base/embedded.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "script/grant.h"
#include "script/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SCRIPT_MAX_BYTES (16u << 20)
#define ARGS_MAX         1024
#define ACCOUNTS_MAX     256

struct verb {
    const char *name;
    const char *summary;
    const char *script; /* NULL: in C */
    bool deletes;       /* takes --apply and --max */
};

static const struct verb verbs[] = {
    {"run", "run a Lua script until its tasks have ended", NULL, false},
    {"serve", "run the jobs of the configuration until stopped", NULL, false},
    {"jobs", "list the jobs of moontide serve, run, pause, resume or confirm one", NULL, false},
    {"conversations", "list an account's conversations", "scripts/conversations.lua", false},
    {"history", "print the messages of one conversation", "scripts/history.lua", false},
    {"export", "copy an account into an archive; run it again to add what is new",
     "scripts/export.lua", false},
    {"retention", "archive, then delete what a policy means", "scripts/retention.lua", true},
    {"restore", "plan what brings an archive back; sends nothing", "scripts/restore.lua", false},
    {"verify", "check an archive: every hash, every line, every count", "scripts/verify.lua",
     false},
    {"audit", "show what was deleted and sent, and prove that the record of it is whole",
     "scripts/audit.lua", false},
    {"unread", "list conversations with unread messages, or reset them", "scripts/unread.lua",
     false},
    {"send", "send a text message", "scripts/send.lua", false},
    {"doctor", "check configuration, connection, token and paid features", "scripts/doctor.lua",
     false},
    {"sandbox", "serve an IM cloud from memory on loopback", NULL, false},
};

#define VERBS_N (sizeof verbs / sizeof *verbs)

static const char run_help[] =
    "usage: moontide run SCRIPT.lua [-a ACCOUNT]... [-c FILE] [--grant LIST] [--apply] "
    "[--isolated] [-- "
    "ARG...]\n"
    "\n"
    "Runs a script until its tasks have ended. A described script (moontide.script) takes the "
    "arguments after --,\n"
    "`moontide run SCRIPT.lua -- --help` prints them; a plain chunk gets them as ...\n"
    "\n"
    "  -a, --account NAME  only this account may be used; repeatable; in quotes * stands for "
    "anything ('acme/*').\n"
    "                      moontide.account() without a name is the only one there is\n"
    "      --grant LIST    what it may do, instead of what it declares (a plain chunk: "
    "read,mark_read,send). Of:\n"
    "                      read, mark_read, send, organise, delete, delete:N (messages a run), "
    "http, http:HOST, audit\n"
    "      --apply         what deletes may do so; without it nothing is deleted\n"
    "      --isolated      in a process of its own, without secrets, files and network, for a "
    "script that you have not\n"
    "                      written: it may read, or what --grant says\n"
    "  -c, --config FILE   the configuration (default ./moontide.lua, then the user's)\n"
    "  -v, --verbose       log more; twice for everything\n"
    "      --log-format F  of the log: text, or json (one object a line)\n"
    "  -h, --help          this text\n";

static const char serve_help[] =
    "usage: moontide serve [-c FILE] [--listen HOST:PORT] [--check]\n"
    "\n"
    "Runs the jobs of the configuration until it is stopped: job \"name\" { script = \"bot.lua\", "
    "accounts = { \"desk\" } }.\n"
    "SIGTERM and Ctrl-C end what is in hand. SIGHUP reads configuration and scripts again; what "
    "has "
    "changed is\n"
    "replaced, and the accounts stay online.\n"
    "\n"
    "      --check         only look whether configuration and scripts are good\n"
    "      --listen HOST:PORT  tell the status there, on 127.0.0.1 only: / for people, /metrics "
    "for "
    "Prometheus,\n"
    "                      /health, /ready, /status.json; as serve { listen = \"127.0.0.1:9464\" } "
    "of the configuration\n"
    "  -c, --config FILE   the configuration (default ./moontide.lua, then the user's)\n"
    "  -v, --verbose       log more; twice for everything\n"
    "      --log-format F  of the log: text, or json (one object a line)\n"
    "  -h, --help          this text\n";

static const char jobs_help[] =
    "usage: moontide jobs [-c FILE] [--json]\n"
    "       moontide jobs show|run|pause|resume|confirm JOB [-c FILE] [--json]\n"
    "\n"
    "Lists the jobs of the configuration that have a schedule, with their last run and the next, "
    "or "
    "does something\n"
    "with one, whether moontide serve runs or not (run needs it).\n"
    "\n"
    "  show            its last runs and next times\n"
    "  run             now, once; also when it is paused\n"
    "  pause, resume   what is due meanwhile is not made up for\n"
    "  confirm         a job that deletes is paused when it, its script or moontide itself has "
    "changed, until then\n"
    "      --json      one object a line\n"
    "  -c, --config FILE   the configuration (default ./moontide.lua, then the user's)\n"
    "  -v, --verbose       log more; twice for everything\n"
    "      --log-format F  of the log: text, or json (one object a line)\n"
    "  -h, --help          this text\n";

static void print_help(FILE *to)
{
    fputs("usage: moontide COMMAND [options]\n\n", to);
    for (size_t i = 0; i < VERBS_N; i++)
        fprintf(to, "  %-14s %s\n", verbs[i].name, verbs[i].summary);
    fputs("\nEvery command:\n"
          "  -c, --config FILE   the configuration (default ./moontide.lua, then the user's)\n"
          "  -v, --verbose       log more; twice for everything\n"
          "      --log-format F  of the log: text, or json (one object a line)\n"
          "      --log-format F  of the log: text, or json (one object a line)\n"
          "  -h, --help          its own help\n"
          "\nmoontide --version prints the version.\n",
          to);
}

static int unknown_verb(const char *word)
{
    const char *names[VERBS_N];

    for (size_t i = 0; i < VERBS_N; i++)
        names[i] = verbs[i].name;
    const char *near = mt_str_nearest(word, names, VERBS_N);
    if (near)
        fprintf(stderr, "moontide: unknown command '%s': did you mean '%s'?\n", word, near);
    else
        fprintf(stderr, "moontide: unknown command '%s' (try moontide --help)\n", word);
    return MT_EXIT_USAGE;
}

struct parsed {
    const char *args[ARGS_MAX + 1];
    size_t n;
    const char *config;
    const char *script;                     /* run */
    const char *accounts[ACCOUNTS_MAX + 1]; /* run -a */
    size_t accounts_n;
    const char *grant; /* run --grant */
    bool apply;        /* run --apply */
    bool isolated;     /* run --isolated */
    const char *max;   /* --max of what deletes */
    unsigned verbose;
    bool help;
};

/* --log-format: what is said from here on. -1: there is no such. */
static int take_format(const char *verb, const char *format, int taken)
{
    if (!strcmp(format, "json") || !strcmp(format, "text")) {
        mt_log_format_set(format[0] == 'j');
        return taken;
    }
    fprintf(stderr, "moontide %s: --log-format is text or json, not '%s'\n", verb, format);
    return -1;
}

/* The options that every command has. Returns how many words they took, 0 if the word is none of
 * them, -1 if something is missing. */
static int take_common(int argc, char **argv, int i, struct parsed *out)
{
    const char *word = argv[i];

    if (!strcmp(word, "-v") || !strcmp(word, "--verbose")) {
        out->verbose++;
        return 1;
    }
    if (mt_str_starts(word, "--config=")) {
        out->config = word + strlen("--config=");
        return 1;
    }
    if (mt_str_starts(word, "--log-format="))
        return take_format(argv[0], word + strlen("--log-format="), 1);
    if (!strcmp(word, "--log-format"))
        return take_format(argv[0], i + 1 < argc ? argv[i + 1] : "", 2);
    if (strcmp(word, "-c") != 0 && strcmp(word, "--config") != 0)
        return 0;
    if (i + 1 == argc) {
        fprintf(stderr, "moontide %s: %s needs a file\n", argv[0], word);
        return -1;
    }
    out->config = argv[i + 1];
    return 2;
}

/* -a of `moontide run`, as take_common. */
static int take_account(int argc, char **argv, int i, struct parsed *out)
{
    const char *word = argv[i];
    const char *name = NULL;
    int taken = 1;

    if (mt_str_starts(word, "--account=")) {
        name = word + strlen("--account=");
    } else if (!strcmp(word, "-a") || !strcmp(word, "--account")) {
        name = i + 1 < argc ? argv[i + 1] : "";
        taken = 2;
    } else {
        return 0;
    }
    if (!*name || out->accounts_n == ACCOUNTS_MAX) {
        fprintf(stderr, "moontide run: -a needs the name of an account, %d at most\n",
                ACCOUNTS_MAX);
        return -1;
    }
    out->accounts[out->accounts_n++] = name;
    return taken;
}

/* --apply and --max of the commands that delete, as take_common. */
static int take_deleting(int argc, char **argv, int i, struct parsed *out)
{
    const char *word = argv[i];

    if (!strcmp(word, "--apply")) {
        out->apply = true;
        return 1;
    }
    if (mt_str_starts(word, "--max=")) {
        out->max = word + strlen("--max=");
        return 1;
    }
    if (strcmp(word, "--max") != 0)
        return 0;
    out->max = i + 1 < argc ? argv[i + 1] : "";
    return 2;
}

/* --grant, --apply and --isolated of `moontide run`, as take_common. */
static int take_rights(int argc, char **argv, int i, struct parsed *out)
{
    const char *word = argv[i];

    if (!strcmp(word, "--isolated")) {
        out->isolated = true;
        return 1;
    }
    if (!strcmp(word, "--apply")) {
        out->apply = true;
        return 1;
    }
    if (mt_str_starts(word, "--grant=")) {
        out->grant = word + strlen("--grant=");
        return 1;
    }
    if (strcmp(word, "--grant") != 0)
        return 0;
    if (i + 1 == argc) {
        fprintf(stderr, "moontide run: --grant needs a list, such as read,send\n");
        return -1;
    }
    out->grant = argv[i + 1];
    return 2;
}

/* A word of `moontide run` in front of --. */
static int take_run_word(const char *word, struct parsed *out)
{
    bool help = !strcmp(word, "-h") || !strcmp(word, "--help");

    if (help && !out->script)
        out->help = true;
    else if (help)
        out->args[out->n++] = "--help"; /* the script's own help */
    else if (!out->script && word[0] != '-')
        out->script = word;
    else {
        fprintf(stderr, "moontide run: unexpected '%s': a script's arguments stand after --\n",
                word);
        return MT_EXIT_USAGE;
    }
    return MT_EXIT_DONE;
}

/* Takes the program's own options out of argv; what is left is the script's. For run, what stands
 * before -- belongs to the program, for the other verbs everything else is the verb's. */
static int parse(int argc, char **argv, const struct verb *verb, struct parsed *out)
{
    bool is_run = !strcmp(verb->name, "run");
    bool rest = false;

    for (int i = 1; i < argc; i++) {
        int taken = rest ? 0 : take_common(argc, argv, i, out);
        if (!taken && is_run && !rest)
            taken = take_account(argc, argv, i, out);
        if (!taken && is_run && !rest)
            taken = take_rights(argc, argv, i, out);
        if (!taken && verb->deletes)
            taken = take_deleting(argc, argv, i, out);
        int status = MT_EXIT_DONE;
        if (taken < 0)
            return MT_EXIT_USAGE;
        if (taken) {
            i += taken - 1;
        } else if (out->n == ARGS_MAX) {
            fprintf(stderr, "moontide: more than %d arguments\n", ARGS_MAX);
            status = MT_EXIT_USAGE;
        } else if (is_run && !rest && !strcmp(argv[i], "--")) {
            rest = true;
        } else if (is_run && !rest) {
            status = take_run_word(argv[i], out);
        } else {
            out->args[out->n++] = argv[i];
        }
        if (status)
            return status;
    }
    return MT_EXIT_DONE;
}

static int run_file(const struct parsed *parsed)
{
    struct mt_run_options options;
    struct mt_grant grant = mt_grant_default();
    struct mt_fault fault;
    char command[4200];
    char *text = NULL;
    size_t len = 0;
    const char *name = strrchr(parsed->script, '/');

    if (parsed->grant && mt_grant_parse(parsed->grant, &grant, &fault)) {
        fprintf(stderr, "moontide run: %s\n", fault.message);
        return MT_EXIT_USAGE;
    }
    if (!parsed->isolated)
        grant.what |= MT_GRANT_FILES; /* whoever runs it by hand has named the files himself */
    int err = mt_fs_read_all(parsed->script, SCRIPT_MAX_BYTES, &text, &len);
    if (err) {
        mt_fs_fault(&fault, err, "read", parsed->script);
        fprintf(stderr, "moontide run: %s\n", fault.message);
        return MT_EXIT_USAGE;
    }
    memset(&options, 0, sizeof options);
    snprintf(command, sizeof command, "moontide run %s", parsed->script);
    options.name = name ? name + 1 : parsed->script;
    options.command = command;
    options.text = text;
    options.text_len = len;
    options.args = parsed->args;
    options.config = parsed->config;
    options.accounts = parsed->accounts_n ? parsed->accounts : NULL;
    options.grant = parsed->grant ? &grant : NULL;
    options.apply = parsed->apply;
    options.isolated = parsed->isolated;
    int status = mt_app_run(&options);
    mt_mem_free(text);
    return status;
}

static int serve(const struct verb *verb, int argc, char **argv)
{
    struct parsed parsed;
    const char *listen = NULL;
    bool check = false;

    memset(&parsed, 0, sizeof parsed);
    int status = parse(argc, argv, verb, &parsed);
    for (size_t i = 0; !status && i < parsed.n; i++) {
        const char *word = parsed.args[i];
        if (!strcmp(word, "-h") || !strcmp(word, "--help")) {
            fputs(serve_help, stdout);
            return MT_EXIT_DONE;
        }
        if (!strcmp(word, "--listen") && i + 1 < parsed.n) {
            listen = parsed.args[++i];
        } else if (mt_str_starts(word, "--listen=")) {
            listen = word + strlen("--listen=");
        } else if (!strcmp(word, "--check")) {
            check = true;
        } else {
            fprintf(stderr, "moontide serve: unexpected '%s' (try moontide serve --help)\n", word);
            return MT_EXIT_USAGE;
        }
    }
    mt_log_level_set(parsed.verbose > 1 ? MT_LOG_TRACE
                     : parsed.verbose   ? MT_LOG_DEBUG
                                        : MT_LOG_INFO);
    return status ? status : mt_app_serve(parsed.config, listen, check);
}

static int jobs(const struct verb *verb, int argc, char **argv)
{
    struct parsed parsed;
    const char *words[2] = {NULL, NULL};
    size_t n = 0;
    bool json = false;

    memset(&parsed, 0, sizeof parsed);
    int status = parse(argc, argv, verb, &parsed);
    for (size_t i = 0; !status && i < parsed.n; i++) {
        const char *word = parsed.args[i];
        if (!strcmp(word, "-h") || !strcmp(word, "--help")) {
            fputs(jobs_help, stdout);
            return MT_EXIT_DONE;
        }
        if (!strcmp(word, "--json")) {
            json = true;
        } else if (word[0] == '-' || n == 2) {
            fprintf(stderr, "moontide jobs: unexpected '%s' (try moontide jobs --help)\n", word);
            return MT_EXIT_USAGE;
        } else {
            words[n++] = word;
        }
    }
    mt_log_level_set(parsed.verbose > 1 ? MT_LOG_TRACE
                     : parsed.verbose   ? MT_LOG_DEBUG
                                        : MT_LOG_WARN);
    return status ? status : mt_app_jobs(parsed.config, words[0], words[1], json);
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    struct parsed parsed;
    struct mt_run_options options;
    struct mt_grant grant;
    struct mt_fault fault;
    char rights[64];
    char command[64];

    if (!strcmp(verb->name, "sandbox"))
        return mt_app_sandbox(argc, argv);
    if (!strcmp(verb->name, "serve"))
        return serve(verb, argc, argv);
    if (!strcmp(verb->name, "jobs"))
        return jobs(verb, argc, argv);
    memset(&parsed, 0, sizeof parsed);
    int status = parse(argc, argv, verb, &parsed);
    if (status)
        return status;
    mt_log_level_set(parsed.verbose > 1 ? MT_LOG_TRACE
                     : parsed.verbose   ? MT_LOG_DEBUG
                                        : MT_LOG_WARN);
    if (!verb->script) {
        if (parsed.help || !parsed.script) {
            fputs(run_help, parsed.help ? stdout : stderr);
            return parsed.help ? MT_EXIT_DONE : MT_EXIT_USAGE;
        }
        return run_file(&parsed);
    }
    const struct mt_embedded_file *file = mt_embedded_find(verb->script);
    if (!file) {
        fprintf(stderr, "moontide: %s is not in this binary\n", verb->script);
        return MT_EXIT_FAILED;
    }
    snprintf(command, sizeof command, "moontide %s", verb->name);
    memset(&options, 0, sizeof options);
    if (parsed.max) {
        snprintf(rights, sizeof rights, "read,delete:%.32s", parsed.max);
        if (mt_grant_parse(rights, &grant, &fault)) {
            fprintf(stderr, "%s: --max needs a number of messages\n", command);
            return MT_EXIT_USAGE;
        }
        grant.what |= MT_GRANT_FILES;
        options.grant = &grant;
    }
    options.apply = parsed.apply;
    options.name = verb->name;
    options.command = command;
    options.text = file->data;
    options.text_len = file->len;
    options.args = parsed.args;
    options.config = parsed.config;
    options.passing = true;
    return mt_app_run(&options);
}

/* Memory holds tokens: no core file of it, whoever the kernel gives it to, and no debugger of the
 * same user. The leak detector is such a debugger, of test builds. */
static void keep_inside(void)
{
    struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
#ifndef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

int mt_app_main(int argc, char **argv)
{
    umask(077);
    mt_mem_one_heap();
    keep_inside();
    if (argc > 1 && !strcmp(argv[1], MT_SCRIPT_PROCESS))
        return mt_script_process(argc, argv);
    if (argc < 2) {
        print_help(stderr);
        return MT_EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help(stdout);
        return MT_EXIT_DONE;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("moontide " MT_VERSION);
        return MT_EXIT_DONE;
    }
    for (size_t i = 0; i < VERBS_N; i++) {
        if (!strcmp(verbs[i].name, argv[1]))
            return run_verb(&verbs[i], argc - 1, argv + 1);
    }
    return unknown_verb(argv[1]);
}
