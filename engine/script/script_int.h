/* What the files of the room share: the script, its tasks, waiting, faults, and the userdata types.
 * Private. */
#ifndef MT_SCRIPT_SCRIPT_INT_H
#define MT_SCRIPT_SCRIPT_INT_H

#include "script/grant.h"
#include "script/script.h"

#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>

/* A function that may raise a Lua error: nothing of C may be owned across its call. */
#define MT_RAISES

struct mt_account_figures;
struct mt_isolated;
struct mt_link;

struct mt_task {
    struct mt_script *script;
    struct mt_task *next, *prev; /* all tasks of the script that are not forgotten, newest first */
    uint64_t number;             /* in the order in which they were made */
    unsigned handles;            /* userdata that refer to it; the main task has one of its own */
    lua_State *T;
    int ref;
    bool queued;
    bool ended;
    bool failed;
    bool cancelled; /* ends at its next wait, alone */
    bool vital;     /* when it fails, the script has failed */
    bool joined;    /* somebody waits or waited for it: its failure is told there */
    uint32_t call;  /* of the other side of an isolated script's link, whose work it is; 0: none */
    uint64_t acts_for; /* the task that waits for the call in which it was asked for; 0: none */
    int on_end;        /* reference to the signal that is set then; 0: none */
    struct mt_wait *wait;
    struct mt_wait *joiners;
    struct mt_task *run_next;
    struct mt_fault fault;
};

/* One wait of one task. Lives in a userdata on the waiting coroutine's stack, so it ends with it.
 */
struct mt_wait {
    struct mt_task *task;
    void (*cancel)(
        struct mt_wait *wait); /* asks the operation to end soon; its completion still comes */
    void (*release)(struct mt_wait *wait); /* frees what the result owns; from the collector */
    bool done;
    enum mt_rc rc;
    struct mt_fault fault;
    struct mt_wait *next_joiner;
    struct mt_account_figures *figures; /* whose fault it is when it fails; NULL: nobody's */
};

struct mt_script {
    const struct mt_script_host *host;
    lua_State *L; /* the main state; nobody stores another */
    char *name;
    char *command;
    size_t memory_bytes, memory_max_bytes;
    size_t collected_bytes;    /* what was left when it was last collected near its limit; or 0 */
    struct mt_lua_live *lives; /* accounts that are online for it */
    struct mt_grant grant;     /* in force */
    bool grant_stated;         /* by whoever runs it, or by the script: from then on only less */
    bool apply;                /* what deletes may do so */
    bool by_hand;
    bool is_child;            /* of an isolated script: this is its process */
    struct mt_grant_use *use; /* of it, unless the host keeps that */
    uint64_t lives_made_n;
    struct mt_task *tasks;
    struct mt_task *main; /* its result is the script's status */
    struct mt_task *current;
    struct mt_task *run_first, *run_last;
    uint64_t tasks_made_n;
    size_t alive_n;
    uint64_t blamed; /* the first task that failed and that nobody can join any more; 0: none */
    struct mt_fault blame;
    bool drain_posted;
    bool cancelled;
    bool stopping;
    bool checking; /* ends where it would wait */
    bool finished;
    bool failed;
    int status;
    struct mt_fault fault;
    void (*done)(void *ud, int status, const struct mt_fault *fault);
    void *ud;
    uint64_t busy_us;             /* in Lua, so far */
    struct mt_link *link;         /* of an isolated script, to its other half; NULL: it has none */
    struct mt_isolated *isolated; /* its process; NULL: is_child, or there is none */
    /* watchdog */
    int64_t cpu_ms;
    pthread_t watchdog;
    bool watchdog_runs;
    pthread_mutex_t watch_lock;
    pthread_cond_t watch_cond;
    lua_State *watched; /* the coroutine that runs now */
    int64_t watch_deadline_ms;
    uint64_t watch_slices_n; /* so far */
    bool watch_sleeps;       /* until it is signalled */
    unsigned watch_steps_n;  /* in C */
    bool watch_fired;
    bool watch_stop;
};

/* state.c */
struct mt_script *mt_script_of(lua_State *L);
enum mt_rc mt_script_state_new(struct mt_script *script);
/* (name): a part of the module that the binary carries. */
#define MT_SCRIPT_MAIN "moontide.main"
int mt_script_part(lua_State *L);
void mt_script_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction index,
                    lua_CFunction gc);

/* watch.c */
enum mt_rc mt_watch_start(struct mt_script *script);
void mt_watch_stop(struct mt_script *script);
lua_State *mt_watch_enter(struct mt_script *script, lua_State *L,
                          bool fresh); /* returns the one watched before */
void mt_watch_leave(struct mt_script *script, lua_State *before);
int mt_script_coroutines(lua_State *L); /* pushes the coroutine library */
void *mt_script_wait_mark(void);

/* In the midst of something that may take long in C: raises when the slice is over. */
MT_RAISES void mt_watch_step(lua_State *L);

/* library.c: in the place of Lua's own, once those are there. */
void mt_script_libraries(lua_State *L);
int mt_script_load(lua_State *L);

/* pattern.c: find, match, gmatch and gsub into the table on top of the stack. */
void mt_script_patterns(lua_State *L);

/* task.c */
MT_RAISES void mt_task_may_wait(lua_State *L);
/* A zeroed wait (size ≥ sizeof struct mt_wait) on top of the stack, owned by the collector. */
MT_RAISES void *mt_wait_new(lua_State *L, size_t size, void (*release)(struct mt_wait *wait));
/* In front of what has an effect, before anything is made: a script that is only checked ends here.
 */
MT_RAISES void mt_task_acts(lua_State *L);
/* The tail call of every binding that waits. */
int mt_task_wait(lua_State *L, struct mt_wait *wait, lua_KFunction k);
/* What fails counts as a fault of that account. */
void mt_wait_of_account(struct mt_wait *wait, const struct mt_provider_account *account);
/* From completions, on the loop thread: never touches Lua. */
void mt_wait_wake(struct mt_wait *wait, enum mt_rc rc, const struct mt_fault *fault);
/* First thing in a continuation: raises if the script is cancelled or the wait failed. */
MT_RAISES void mt_wait_check(lua_State *L, struct mt_wait *wait);
struct mt_task *mt_task_spawn(struct mt_script *script, lua_State *from,
                              int args_n); /* function and args on from */
/* A userdata refers to the task: it is kept until the last of them has let go. */
void mt_task_handle(struct mt_task *task);
void mt_task_let_go(struct mt_task *task);
/* The script ends with this fault; the first one counts. */
void mt_script_fail(struct mt_script *script, const struct mt_fault *fault);
/* The two halves of mt_script_start. */
enum mt_rc mt_script_make(const struct mt_script_host *host,
                          const struct mt_script_options *options, bool is_child,
                          struct mt_script **out, struct mt_fault *fault) MT_CHECKED;
MT_RAISES void mt_script_begin(lua_State *L, const struct mt_script_options *options);
/* Ends one task at its next wait, as mt_script_cancel does all of them; nobody is told. */
void mt_task_cancel(struct mt_task *task);

/* state.c: pushes the text and frees the buffer, also when the push runs out of memory. Returns 1.
 */
MT_RAISES int mt_lua_push_buf(lua_State *L, struct mt_buf *buf);

/* fault.c */
MT_RAISES int mt_fault_raise(lua_State *L, const struct mt_fault *fault);
MT_RAISES int mt_fault_raisef(lua_State *L, enum mt_rc kind, const char *code, const char *fmt, ...)
    MT_PRINTF(4, 5);
void mt_fault_push(lua_State *L, const struct mt_fault *fault);
/* From the error value on top of the stack, whatever it is; pops it. */
void mt_fault_from_lua(lua_State *L, struct mt_fault *out);
void mt_fault_open(lua_State *L);

/* grant_parse.c */
unsigned mt_grant_bit_of(const char *name); /* 0: there is none */
void mt_grant_list_bits(unsigned bits, char *out, size_t cap);
/* What the table at index declares; nothing: read. Raises for names that are none. */
MT_RAISES void mt_grant_take(lua_State *L, int index, struct mt_grant *out);
/* grant_check.c. DENIED "grant.missing" when it wants more than there is. */
enum mt_rc mt_grant_narrow(struct mt_grant *grant, const struct mt_grant *to, const char *name,
                           struct mt_fault *fault) MT_CHECKED;
/* Raise "grant.denied" and its kin. function: for the message. */
MT_RAISES void mt_grant_check(lua_State *L, const char *what, const char *function);
/* Returns whether whoever granted it has named the host. */
MT_RAISES bool mt_grant_check_host(lua_State *L, const char *host, const char *function);
/* Whether it may send there at all; and to send one message now, which counts. */
MT_RAISES void mt_grant_check_to(lua_State *L, const struct mt_conversation_ref *to,
                                 const char *function);
MT_RAISES void mt_grant_check_send(lua_State *L, const struct mt_conversation_ref *to,
                                   const char *function);
/* A file or folder that the script names: in one of the folders that it was granted, and none that
 * holds the program's own secrets. */
MT_RAISES void mt_grant_check_path(lua_State *L, const char *path, const char *function);
/* messages: how many are about to be deleted; -1: nobody knows. Counts them. */
MT_RAISES void mt_grant_check_delete(lua_State *L, int64_t messages, const char *function);
/* How many messages may still be deleted under a plan, whatever the script declares about archives;
 * UINT64_MAX: nobody has said. Counts nothing: mt_grant_purged does, afterwards. */
MT_RAISES uint64_t mt_grant_may_purge(lua_State *L, const char *function);
void mt_grant_purged(const struct mt_script *script, uint64_t messages);
struct mt_grant_use *mt_grant_use_of(const struct mt_script *script);
/* The same for the Lua function on top of the stack, which it takes the place of. */
void mt_grant_wrap(lua_State *L, const char *name);
/* The function, under the check of its API record's grant if it has one. */
void mt_grant_push_function(lua_State *L, const char *name, lua_CFunction function);

/* options.c: one table of options, checked against the API record of the function. */
struct mt_api_param {
    const char *name;
    const char *type; /* string integer boolean duration time list table choice:a|b */
    bool required;
    bool has_min, has_max;
    double min, max;
};
struct mt_api_record {
    const char *name;
    const char *grant; /* NULL: needs none */
    const struct mt_api_param *params;
    size_t params_n;
};
extern const struct mt_api_record mt_api_records[];
extern const size_t mt_api_records_n;
/* Raises for an unknown option (naming the nearest), a wrong type, or a value out of range. index
 * may be none/nil. */
MT_RAISES void mt_options_check(lua_State *L, int index, const char *function);
/* Raises "option.missing" for the first required one that the table at index does not have. */
MT_RAISES void mt_options_require(lua_State *L, int index, const char *function);
MT_RAISES const char *mt_option_string(lua_State *L, int index, const char *key,
                                       const char *absent);
MT_RAISES int64_t mt_option_integer(lua_State *L, int index, const char *key, int64_t absent);
MT_RAISES bool mt_option_boolean(lua_State *L, int index, const char *key, bool absent);
MT_RAISES int64_t mt_option_time(lua_State *L, int index, const char *key, int64_t absent);
MT_RAISES int64_t mt_option_duration(lua_State *L, int index, const char *key, int64_t absent);
/* A list of strings into out (NULL-terminated, at most max), borrowed from the table. Returns
 * whether present. */
MT_RAISES bool mt_option_list(lua_State *L, int index, const char *key, const char **out,
                              size_t max);

/* page.c: messages and conversations that outlive the callback that brought them. */
struct mt_page {
    unsigned refs;
    struct mt_arena *arena;
    struct mt_message *messages;
    struct mt_conversation *conversations;
    size_t n;
    /* Where its messages are from, for what refers to them; NULL: not known. */
    const struct mt_provider *provider;
    struct mt_provider_account *account;
};
struct mt_page *mt_page_of_messages(const struct mt_message *items, size_t n);
struct mt_page *mt_page_of_conversations(const struct mt_conversation *items, size_t n);
struct mt_page *mt_page_retain(struct mt_page *page);
void mt_page_release(struct mt_page *page);

/* bind_policy.c */
struct mt_policy;
/* Raises INVALID "policy.type" for anything else. Lives as long as the value at the index. */
MT_RAISES const struct mt_policy *mt_lua_check_policy(lua_State *L, int index);
/* Pushes the table of the conditions; what they need of the state is their type and mt_fault_open.
 */
void mt_lua_policy_words(lua_State *L);
/* From now on it is noted what is made; then: one that was not used in another, or NULL. */
void mt_lua_policies_note(lua_State *L);
const struct mt_policy *mt_lua_policy_unused(lua_State *L);
void mt_bind_policy(lua_State *L); /* pushes moontide.policy */

/* bindings */
struct mt_lua_account {
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    char name[256]; /* MT_ACCOUNT_NAME_MAX */
};
MT_RAISES struct mt_lua_account *mt_lua_account_check(lua_State *L, int index);
struct mt_lua_conversation {
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    struct mt_conversation_ref ref;
    struct mt_page *page; /* NULL unless it came from a list */
    size_t index;
};
MT_RAISES struct mt_lua_conversation *mt_lua_conversation_push(lua_State *L);
MT_RAISES struct mt_lua_conversation *mt_lua_conversation_check(lua_State *L, int index);
MT_RAISES void mt_lua_message_push(lua_State *L, struct mt_page *page, size_t index);
/* NULL: it is no message. */
const struct mt_message *mt_lua_message_test(lua_State *L, int index);
MT_RAISES void mt_lua_message_push_at(lua_State *L, struct mt_page *page,
                                      const struct mt_message *message);
MT_RAISES void mt_lua_value_push(lua_State *L, const struct mt_value *value);
/* Pushes the value at index as JSON. */
MT_RAISES const char *mt_lua_json_push(lua_State *L, int index, size_t *len);
struct mt_writer;
MT_RAISES struct mt_writer *mt_lua_archive_writer(lua_State *L, int index);
void mt_bind_moontide(lua_State *L); /* pushes the C half of the module */
void mt_bind_pure(lua_State *L);     /* adds what needs nothing of the host to the table on top */
void mt_bind_account(lua_State *L);
void mt_bind_conversation(lua_State *L);
void mt_bind_message(lua_State *L);
void mt_bind_archive(lua_State *L);
void mt_bind_new_file(lua_State *L); /* the table of functions is at the top */
void mt_bind_archived(lua_State *L); /* the table of functions is at the top */
void mt_bind_json(lua_State *L);     /* pushes moontide.json */
void mt_lua_signal_set(lua_State *L, int index);
void mt_bind_store(lua_State *L); /* the same */
void mt_bind_http(lua_State *L);  /* the same */
void mt_bind_cron(lua_State *L);  /* the same */
void mt_bind_audit(lua_State *L); /* adds to the table of the core on top of the stack */
void mt_bind_plan(lua_State *L);  /* the same */
void mt_bind_purge(lua_State *L); /* the same */
void mt_bind_task(lua_State *L);  /* adds to the table of the core on top of the stack */
int mt_lua_conversations(lua_State *L);
int mt_lua_history(lua_State *L);
int mt_lua_history_page(lua_State *L);
/* bind_history.c: the iterator of a history of which a part is given out. */
struct mt_reader_options;
struct mt_lua_picker {
    /* Copies the messages that are given out to picked, which has room for all, and how many they
     * are to *picked_n. *enough: nothing more of this read is wanted. On the loop thread. */
    enum mt_rc (*pick)(void *ud, const struct mt_message *items, size_t n,
                       struct mt_message *picked, size_t *picked_n, bool *enough);
    /* What is read next, first of all; false: that was all. Strings live as long as ud. */
    bool (*next)(void *ud, struct mt_reader_options *options);
};
/* ud is the userdata on top of the stack. limit < 0: none. Pushes what a for loop takes, 4. */
MT_RAISES int mt_lua_history_pick(lua_State *L, const struct mt_lua_conversation *c, int64_t limit,
                                  const struct mt_lua_picker *picker, void *ud);
int mt_lua_history_close(lua_State *L); /* what the iterator came with, before its end */
void mt_bind_select(lua_State *L);      /* adds to the table of the core on top of the stack */
int mt_lua_export(lua_State *L);
int mt_lua_archive_open(lua_State *L);
int mt_lua_verify(lua_State *L);
int mt_lua_doctor(lua_State *L);

#define MT_TYPE_ACCOUNT         "moontide.account"
#define MT_TYPE_CONVERSATION    "moontide.conversation"
#define MT_TYPE_MESSAGE_UD      "moontide.message"
#define MT_TYPE_ARCHIVE         "moontide.archive"
#define MT_TYPE_ARCHIVED        "moontide.archived"
#define MT_TYPE_ARCHIVED_CURSOR "moontide.archived_cursor"
#define MT_TYPE_TASK            "moontide.task"
#define MT_TYPE_WAIT            "moontide.wait"
#define MT_TYPE_SIGNAL          "moontide.signal"

#endif
