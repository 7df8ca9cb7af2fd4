/* The ledger of a job: JSON in its store. */
#include "jobs/ledger.h"

#include "base/str.h"
#include "codec/json.h"
#include "codec/time.h"
#include "jobs/schedule.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX  ((size_t)64 << 10)
#define STATE_KEY "state"
#define RUN_KEY   "run:"
#define NEXT_N    3

static void take_text(const struct mt_json *object, const char *key, char *out, size_t cap)
{
    const char *text = mt_json_str(mt_json_get(object, key));

    if (text)
        snprintf(out, cap, "%.*s", (int)mt_str_utf8_cut(text, strlen(text), cap - 1), text);
    else
        out[0] = '\0';
}

/* ---------------------------------------------------------------- a run */

static void put_time(struct mt_jsonw *w, const char *key, int64_t ms, bool people)
{
    char text[MT_TIME_RFC3339_LEN];

    mt_jsonw_key(w, key);
    mt_time_format(ms, text);
    if (!people)
        mt_jsonw_i64(w, ms);
    else
        mt_jsonw_str(w, ms && ms != INT64_MAX ? text : NULL);
}

static void put_run(struct mt_jsonw *w, const struct mt_run *run, bool people)
{
    mt_jsonw_object(w);
    mt_jsonw_key(w, "number");
    mt_jsonw_u64(w, run->number);
    put_time(w, "due", run->due_ms, people);
    put_time(w, "started", run->started_ms, people);
    put_time(w, "ended", run->ended_ms, people);
    mt_jsonw_key(w, "attempt");
    mt_jsonw_u64(w, run->attempt);
    mt_jsonw_key(w, "how");
    mt_jsonw_str(w, run->how);
    mt_jsonw_key(w, "status");
    mt_jsonw_str(w, run->status);
    if (people && run->ended_ms) {
        mt_jsonw_key(w, "seconds");
        mt_jsonw_double(w, (double)(run->ended_ms - run->started_ms) / 1000);
    }
    if (run->code[0]) {
        mt_jsonw_key(w, "code");
        mt_jsonw_str(w, run->code);
        mt_jsonw_key(w, "message");
        mt_jsonw_str(w, run->message);
    }
    mt_jsonw_object_end(w);
}

static void take_run(const struct mt_json *object, struct mt_run *run)
{
    memset(run, 0, sizeof *run);
    if (!mt_json_u64(mt_json_get(object, "number"), &run->number))
        run->number = 0;
    run->due_ms = mt_json_i64(mt_json_get(object, "due"), 0);
    run->started_ms = mt_json_i64(mt_json_get(object, "started"), 0);
    run->ended_ms = mt_json_i64(mt_json_get(object, "ended"), 0);
    int64_t attempt = mt_json_i64(mt_json_get(object, "attempt"), 1);
    run->attempt = attempt > 0 && attempt < 1000 ? (unsigned)attempt : 1;
    take_text(object, "how", run->how, sizeof run->how);
    take_text(object, "status", run->status, sizeof run->status);
    take_text(object, "code", run->code, sizeof run->code);
    take_text(object, "message", run->message, sizeof run->message);
}

/* ---------------------------------------------------------------- reading and writing */

static enum mt_rc take_state(struct mt_ledger *ledger, const struct mt_json *state)
{
    int64_t failures = mt_json_i64(mt_json_get(state, "failures"), -1);

    ledger->handled_ms = mt_json_i64(mt_json_get(state, "handled"), -1);
    take_text(state, "paused", ledger->paused, sizeof ledger->paused);
    take_text(state, "changed", ledger->changed, sizeof ledger->changed);
    ledger->asked = mt_json_bool(mt_json_get(state, "asked"), false);
    mt_approval_read(mt_json_get(state, "approved"), &ledger->approved);
    ledger->queued = mt_json_bool(mt_json_get(state, "queued"), false);
    if (ledger->handled_ms < 0 || failures < 0 || failures > INT32_MAX ||
        !mt_json_u64(mt_json_get(state, "runs"), &ledger->runs_n))
        return MT_ERR_DAMAGED;
    ledger->failures_n = (unsigned)failures;
    if (mt_json_get(state, "running"))
        take_run(mt_json_get(state, "running"), &ledger->running);
    if (mt_json_get(state, "again"))
        take_run(mt_json_get(state, "again"), &ledger->again);
    ledger->fresh = false;
    return MT_OK;
}

/* In the order of the keys: the newest is the last. */
static void add_run(struct mt_ledger *ledger, const struct mt_run *run)
{
    memmove(&ledger->runs[1], &ledger->runs[0], (MT_LEDGER_RUNS - 1) * sizeof *ledger->runs);
    ledger->runs[0] = *run;
}

enum mt_rc mt_ledger_read(struct mt_ledger *ledger, const struct mt_store_entry *entries, size_t n,
                          struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;

    memset(ledger, 0, sizeof *ledger);
    ledger->fresh = true;
    for (size_t i = 0; !rc && i < n; i++) {
        bool is_run = mt_str_starts(entries[i].key, RUN_KEY);
        struct mt_json *json = NULL;
        struct mt_run run;
        if (!is_run && strcmp(entries[i].key, STATE_KEY) != 0)
            continue; /* of a later version */
        rc = mt_json_parse(entries[i].value, entries[i].value_len, TEXT_MAX, &json, NULL);
        if (!rc && is_run) {
            take_run(json, &run);
            add_run(ledger, &run);
        } else if (!rc) {
            rc = take_state(ledger, json);
        }
        mt_json_free(json);
    }
    if (!rc && ledger->fresh && n)
        rc = MT_ERR_DAMAGED;
    if (rc)
        return mt_fault_set(fault, MT_ERR_DAMAGED, "ledger.damaged",
                            "what was kept of the job cannot be read: move its file in the folder "
                            "jobs of the state away to begin with nothing");
    return MT_OK;
}

static void put_state(struct mt_jsonw *w, const struct mt_ledger *ledger)
{
    mt_jsonw_object(w);
    mt_jsonw_key(w, "handled");
    mt_jsonw_i64(w, ledger->handled_ms);
    mt_jsonw_key(w, "failures");
    mt_jsonw_u64(w, ledger->failures_n);
    mt_jsonw_key(w, "runs");
    mt_jsonw_u64(w, ledger->runs_n);
    mt_jsonw_key(w, "queued");
    mt_jsonw_bool(w, ledger->queued);
    mt_jsonw_key(w, "paused");
    mt_jsonw_str(w, ledger->paused);
    mt_jsonw_key(w, "approved");
    mt_approval_write(&ledger->approved, w);
    mt_jsonw_key(w, "changed");
    mt_jsonw_str(w, ledger->changed);
    mt_jsonw_key(w, "asked");
    mt_jsonw_bool(w, ledger->asked);
    if (ledger->running.number) {
        mt_jsonw_key(w, "running");
        put_run(w, &ledger->running, false);
    }
    if (ledger->again.number) {
        mt_jsonw_key(w, "again");
        put_run(w, &ledger->again, false);
    }
    mt_jsonw_object_end(w);
}

static enum mt_rc put(struct mt_store *store, const char *key, struct mt_buf *text,
                      struct mt_fault *fault)
{
    enum mt_rc rc = text->failed;

    if (rc)
        mt_fault_set(fault, rc, "memory", "out of memory");
    else
        rc = mt_store_put(store, key, text->data, text->len, fault);
    mt_buf_reset(text);
    return rc;
}

enum mt_rc mt_ledger_write(struct mt_ledger *ledger, struct mt_store *store, struct mt_fault *fault)
{
    struct mt_buf text;
    struct mt_jsonw w;
    char key[32];
    enum mt_rc rc = MT_OK;

    mt_buf_init(&text, TEXT_MAX);
    mt_jsonw_init(&w, &text);
    put_state(&w, ledger);
    rc = put(store, STATE_KEY, &text, fault);
    if (!rc && ledger->runs[0].number) {
        mt_jsonw_init(&w, &text);
        put_run(&w, &ledger->runs[0], false);
        snprintf(key, sizeof key, RUN_KEY "%012llu", (unsigned long long)ledger->runs[0].number);
        rc = put(store, key, &text, fault);
    }
    if (!rc && ledger->runs_n > MT_LEDGER_KEEPS) {
        snprintf(key, sizeof key, RUN_KEY "%012llu",
                 (unsigned long long)(ledger->runs_n - MT_LEDGER_KEEPS));
        rc = mt_store_put(store, key, NULL, 0, fault);
    }
    mt_buf_deinit(&text);
    if (!rc)
        ledger->fresh = false;
    return rc;
}

/* ---------------------------------------------------------------- runs */

void mt_ledger_begin(struct mt_ledger *ledger, int64_t due_ms, const char *how, unsigned attempt,
                     int64_t now_ms)
{
    struct mt_run *run = &ledger->running;

    memset(run, 0, sizeof *run);
    run->number = ++ledger->runs_n;
    run->due_ms = due_ms;
    run->started_ms = now_ms;
    run->attempt = attempt;
    snprintf(run->how, sizeof run->how, "%s", how);
    snprintf(run->status, sizeof run->status, "running");
}

const char *mt_run_status_name(int i)
{
    static const char *const names[MT_RUN_STATUSES] = {"done",    "part", "failed",
                                                       "stopped", "lost", "skipped"};
    return names[i];
}

void mt_ledger_end(struct mt_ledger *ledger, const char *status, const struct mt_fault *fault,
                   int64_t now_ms)
{
    struct mt_run *run = &ledger->running;

    run->ended_ms = now_ms;
    for (int i = 0; ledger->ended_n && i < MT_RUN_STATUSES; i++)
        ledger->ended_n[i] += !strcmp(mt_run_status_name(i), status);
    snprintf(run->status, sizeof run->status, "%s", status);
    if (fault) {
        snprintf(run->code, sizeof run->code, "%s", fault->code);
        snprintf(run->message, sizeof run->message, "%s", fault->message);
    }
    add_run(ledger, run);
    memset(run, 0, sizeof *run);
}

void mt_ledger_skip(struct mt_ledger *ledger, int64_t due_ms, int64_t now_ms)
{
    struct mt_run in_hand = ledger->running;

    mt_ledger_begin(ledger, due_ms, "schedule", 1, now_ms);
    mt_ledger_end(ledger, "skipped", NULL, now_ms);
    ledger->running = in_hand;
}

/* ---------------------------------------------------------------- for people */

enum mt_rc mt_ledger_show(const struct mt_ledger *ledger, const char *name,
                          const struct mt_schedule *schedule, const char *when, int64_t now_ms,
                          struct mt_buf *out)
{
    struct mt_jsonw w;
    int64_t at_ms = ledger->handled_ms > now_ms ? ledger->handled_ms : now_ms;

    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "name");
    mt_jsonw_str(&w, name);
    mt_jsonw_key(&w, "when");
    mt_jsonw_str(&w, when);
    mt_jsonw_key(&w, "state");
    mt_jsonw_str(&w, ledger->running.number ? "running" : ledger->paused[0] ? "paused" : "waiting");
    mt_jsonw_key(&w, "paused");
    mt_jsonw_str(&w, ledger->paused[0] ? ledger->paused : NULL);
    if (!strcmp(ledger->paused, "changed")) {
        mt_jsonw_key(&w, "changed");
        mt_jsonw_str(&w, ledger->changed);
    }
    if (ledger->paused[0]) {
        mt_jsonw_key(&w, "remedy");
        mt_jsonw_str(&w, mt_ledger_remedy(ledger));
    }
    mt_jsonw_key(&w, "failures");
    mt_jsonw_u64(&w, ledger->failures_n);
    mt_jsonw_key(&w, "next");
    mt_jsonw_array(&w);
    for (int i = 0; i < NEXT_N && !ledger->paused[0]; i++) {
        char text[MT_TIME_RFC3339_LEN];
        at_ms = mt_schedule_next(schedule, at_ms);
        if (at_ms == INT64_MAX)
            break;
        mt_time_format(mt_schedule_start(schedule, at_ms), text);
        mt_jsonw_str(&w, text);
    }
    mt_jsonw_array_end(&w);
    mt_jsonw_key(&w, "runs");
    mt_jsonw_array(&w);
    if (ledger->running.number)
        put_run(&w, &ledger->running, true);
    for (int i = 0; i < MT_LEDGER_RUNS && ledger->runs[i].number; i++)
        put_run(&w, &ledger->runs[i], true);
    mt_jsonw_array_end(&w);
    mt_jsonw_object_end(&w);
    return out->failed;
}

enum mt_rc mt_ledger_refuse(const struct mt_fault *fault, struct mt_buf *out)
{
    struct mt_jsonw w;

    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "fault");
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "code");
    mt_jsonw_str(&w, fault->code);
    mt_jsonw_key(&w, "message");
    mt_jsonw_str(&w, fault->message);
    mt_jsonw_object_end(&w);
    mt_jsonw_object_end(&w);
    return out->failed;
}

/* ---------------------------------------------------------------- what operators ask for */

int mt_ledger_ask_of(const char *word)
{
    static const char *const words[] = {"show", "run", "pause", "resume", "confirm"};

    for (int i = 0; i < 5; i++) {
        if (!strcmp(word, words[i]))
            return i;
    }
    return -1;
}

/* What was due while it was paused is not made up for. */
static void go_on(struct mt_ledger *ledger, int64_t now_ms)
{
    ledger->paused[0] = '\0';
    ledger->changed[0] = '\0';
    ledger->failures_n = 0;
    ledger->queued = false;
    ledger->again.number = 0;
    ledger->handled_ms = now_ms;
}

const char *mt_ledger_remedy(const struct mt_ledger *ledger)
{
    if (!ledger->paused[0])
        return "";
    return strcmp(ledger->paused, "changed") != 0 && strcmp(ledger->paused, "clock") != 0
               ? "resume"
               : "confirm";
}

enum mt_rc mt_ledger_obey(struct mt_ledger *ledger, enum mt_ledger_ask ask,
                          const struct mt_approval *now, int64_t now_ms, struct mt_fault *fault)
{
    bool changed = !strcmp(ledger->paused, "changed");
    bool guarded = changed || !strcmp(ledger->paused, "clock");

    if (guarded && (ask == MT_LEDGER_RUN || ask == MT_LEDGER_RESUME || ask == MT_LEDGER_PAUSE))
        return mt_fault_set(fault, MT_ERR_STATE, "jobs.confirm",
                            "it deletes, and %s%s%s: look at it, then moontide jobs confirm",
                            changed ? "is not what was approved any more ("
                                    : "the clock has jumped",
                            changed ? ledger->changed : "", changed ? ")" : "");
    switch (ask) {
    case MT_LEDGER_RUN:
        if (ledger->running.number)
            return mt_fault_set(fault, MT_ERR_STATE, "jobs.running", "it runs already");
        break;
    case MT_LEDGER_PAUSE:
        snprintf(ledger->paused, sizeof ledger->paused, "asked");
        break;
    case MT_LEDGER_RESUME:
        if (ledger->paused[0])
            go_on(ledger, now_ms);
        break;
    case MT_LEDGER_CONFIRM:
        ledger->approved = *now;
        if (guarded)
            go_on(ledger, now_ms);
        if (guarded && ledger->asked)
            snprintf(ledger->paused, sizeof ledger->paused, "asked");
        ledger->asked = false;
        break;
    case MT_LEDGER_SHOW:
        break;
    }
    return MT_OK;
}
