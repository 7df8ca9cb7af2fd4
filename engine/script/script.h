/* Runs Lua scripts: one confined state a script, tasks on the event loop, the API of moontide. The
 * one user of Lua. */
#ifndef MT_SCRIPT_SCRIPT_H
#define MT_SCRIPT_SCRIPT_H

#include "provider/provider.h"

struct mt_account_counting;
struct mt_audit_log;
struct mt_audit_options;
struct mt_grant;
struct mt_grant_use;
struct mt_hold_source;
struct mt_http;
struct mt_hub;
struct mt_loop;
struct mt_purge_figures;
struct mt_reader_budget;
struct mt_script;
struct mt_store;
struct mt_writer_figures;
struct mt_ws_client;

/* The audit of the process, for all that deletes or sends. */
struct mt_script_audit {
    /* Made when first asked for. *out NULL: sending is asked for, and the configuration says that
     * it is not written down. */
    enum mt_rc (*log)(void *ud, bool sending, struct mt_audit_log **out, struct mt_fault *fault);
    /* Where it is, for who reads it; texts live as long as this. */
    enum mt_rc (*place)(void *ud, struct mt_audit_options *out, struct mt_fault *fault);
    /* The configuration's name of an account that is open; NULL: not known. */
    const char *(*label)(void *ud, const struct mt_provider_account *account);
    void *ud;
};

/* What the process gives to its scripts. Must outlive them. */
struct mt_script_host {
    struct mt_loop *loop;
    struct mt_reader_budget *budget; /* what all reads hold together; NULL: each has its own */
    /* The process's WebSocket client, made when first asked for; NULL: no live accounts. */
    enum mt_rc (*websockets)(void *ud, struct mt_ws_client **out, struct mt_fault *fault);
    struct mt_hub *hub; /* where scripts share the sessions of accounts; NULL: no live accounts */
    const char *job;    /* the script's name for the hub, under which it comes back after a restart;
                           NULL: it does not */
    /* An account by the configuration's name; *name NULL: the only one there is, named in *name. */
    enum mt_rc (*resolve)(void *ud, const char **name, const struct mt_provider **provider,
                          struct mt_provider_account **account, struct mt_fault *fault);
    /* The i-th account's name, NULL at the end. Loads the configuration; a failure fills fault. */
    enum mt_rc (*account_name)(void *ud, size_t i, const char **name, struct mt_fault *fault);
    /* The HTTP client of the process; NULL: none. */
    enum mt_rc (*http)(void *ud, struct mt_http **out, struct mt_fault *fault);
    const struct mt_script_audit *audit; /* NULL: nothing is written down (tests) */
    /* The lists of holds that no script can set aside; NULL: there are none (tests). */
    const struct mt_hold_source *holds;
    /* Where the script keeps what is durable; made when first asked for; NULL: nowhere. */
    enum mt_rc (*store)(void *ud, struct mt_store **out, struct mt_fault *fault);
    /* The folder of what the program keeps; NULL: nowhere. */
    void (*state)(void *ud, char *out, size_t cap);
    /* Whether a path leads to what no script may touch: the configuration, its secrets, the state
     * of other scripts, the system's own files. NULL: none does. */
    bool (*keeps)(void *ud, const char *path);
    struct mt_grant_use *use; /* what scripts that come one after the other have used up of their
                                 grant; NULL: each begins anew */
    /* One line of output, without newline. */
    void (*print)(void *ud, const char *line, size_t len);
    /* What was printed is handed on: before events are acknowledged, whose handlers printed it. */
    void (*flush)(void *ud);
    void (*progress)(void *ud, const char *label, int64_t done, int64_t total, const char *unit,
                     const char *extra);
    const struct mt_account_counting *counting; /* what accounts did; NULL: nobody counts */
    struct mt_writer_figures *archive_figures;  /* what archives committed; likewise */
    struct mt_purge_figures *purge_figures;     /* what plans did that were applied; likewise */
    void *ud;
};

struct mt_script_options {
    const char *name; /* for messages: "export", "busiest.lua" */
    const char *text; /* the chunk, source text only */
    size_t text_len;
    const char *const
        *args; /* NULL-terminated; a described script parses them, a plain chunk gets them as ... */
    const char *const *accounts;  /* those named with -a, NULL-terminated, or NULL: the first is the
                                     "account" of a described script that has such an argument */
    size_t memory_bytes;          /* quota of the state; 0: 64 MiB */
    int64_t cpu_ms;               /* one slice between two waits; 0: 1000 */
    const struct mt_grant *grant; /* what it may do; NULL: what it declares, or the default */
    bool apply;                   /* what deletes may do so; else it raises delete.dry_run */
    bool isolated;                /* in a process of its own, which has nothing but the API;
                                     without a grant it may read */
    bool by_hand;                 /* a command of the program, that somebody has called: it may also
                                     do what no script may, such as removing old records of the audit */
    bool check;                   /* nothing is done: the script is loaded, its description and its
                                     arguments are checked, and it ends where it would wait for the first
                                     time */
    const char
        *command; /* how help names the call: "moontide export"; NULL: "moontide run NAME --" */
};

/* done: exactly once, when every task has ended. status is the exit status that the script chose (0
 * if none); fault is what ended it otherwise. The script may be freed in done. */
enum mt_rc mt_script_start(const struct mt_script_host *host,
                           const struct mt_script_options *options,
                           void (*done)(void *ud, int status, const struct mt_fault *fault),
                           void *ud, struct mt_script **out, struct mt_fault *fault) MT_CHECKED;
/* Every task is ended at its next wait, with a fault that pcall cannot keep away. done follows. */
void mt_script_cancel(struct mt_script *script);
/* No new events, no new calls of timers; when the handlers in hand have ended, and their events are
 * acknowledged, everything else is cancelled. done follows. */
void mt_script_stop(struct mt_script *script);
void mt_script_free(struct mt_script *script);

/* What the process of an isolated script does: this program was started as one (argv[1] is
 * MT_SCRIPT_PROCESS). Does not return before its end. */
#define MT_SCRIPT_PROCESS "isolated-script"
int mt_script_process(int argc, char **argv);

/* What it takes now. */
struct mt_script_figures {
    size_t memory_bytes, memory_max_bytes; /* of the Lua state */
    uint64_t busy_us; /* for which it has held the event loop, since it was started */
    size_t tasks_n;   /* that have not ended */
    size_t ready_n;   /* of these, those that can go on and wait for their turn */
};
void mt_script_look(const struct mt_script *script, struct mt_script_figures *out);

#endif
