/* The audit for the loop. On the loop thread: what gathers, and what is on its way. On the pool:
 * the log, touched by one piece of work at a time, opened by the first. */
#include "jobs/audit_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"

#include <string.h>

#define FLIGHT_MAX_BYTES ((size_t)4 << 20)
#define HEAD_MS          60000
/* An append costs a lock and an fsync, whatever it holds. So two of them begin this far apart at
 * least, and what comes meanwhile goes together; who comes alone waits for nothing. */
#define PACE_US INT64_C(1000)
/* What nobody waits for goes with the next append that somebody waits for, or after this. */
#define IDLE_US INT64_C(25000)

struct item {
    struct item *next;
    struct mt_audit_record *records; /* with all that they point to, one allocation */
    uint64_t *numbers;
    size_t n, bytes;
    mt_audit_done_fn *done;
    void *ud;
    enum mt_rc rc;
    struct mt_fault fault;
};

struct visit {
    struct visit *next;
    char *account;
    mt_audit_open_fn *each; /* NULL: it only waits for its turn */
    void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault);
    void *ud;
};

struct open {
    uint64_t number;
    int64_t at_ms;
};

struct mt_audit_log {
    struct mt_loop *loop;
    char *dir, *anchor;
    struct mt_audit_options options;
    struct mt_audit *audit; /* of the pool's thread while busy */
    struct item *gather, *gather_last;
    size_t gather_bytes, waiting_n; /* of gather; how many of them somebody waits for */
    int64_t gather_us, append_us;   /* when gather's first came, when the last append began */
    struct mt_timer *pace;          /* when gather's turn comes */
    struct item *flight;
    struct visit *visits, *visits_last;
    struct mt_timer *timer;                             /* signs the head when nothing more comes */
    enum { NOTHING, APPEND, VISIT, HEAD, CLOSE } doing; /* written while no work is under way */
    struct visit *visit;                                /* that the work is about */
    struct open *open;                                  /* intents without a result, oldest first */
    size_t open_n, open_cap;
    uint64_t failures_n;
    bool head_due;
    bool busy;
    bool freeing;
    enum mt_rc rc;
    struct mt_fault fault;
};

static bool start(struct mt_audit_log *log);

/* ---------------------------------------------------------------- copies */

static size_t len_of(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static size_t size_of(const struct mt_audit_record *r)
{
    size_t size = len_of(r->account) + len_of(r->user) + len_of(r->actor) + len_of(r->verb) +
                  len_of(r->conversation) + len_of(r->why) + len_of(r->outcome) + len_of(r->code) +
                  len_of(r->detail);

    for (size_t i = 0; i < r->ids_n; i++)
        size += len_of(r->ids[i]) + sizeof(char *);
    return size;
}

static const char *take(char **at, const char *s)
{
    size_t len = len_of(s);
    char *to = *at;

    if (!s)
        return NULL;
    memcpy(to, s, len);
    *at += len;
    return to;
}

static void copy(struct mt_audit_record *to, const struct mt_audit_record *from, const char ***ids,
                 char **at)
{
    *to = *from;
    to->account = take(at, from->account);
    to->user = take(at, from->user);
    to->actor = take(at, from->actor);
    to->verb = take(at, from->verb);
    to->conversation = take(at, from->conversation);
    to->why = take(at, from->why);
    to->outcome = take(at, from->outcome);
    to->code = take(at, from->code);
    to->detail = take(at, from->detail);
    to->ids = *ids;
    for (size_t i = 0; i < from->ids_n; i++)
        *(*ids)++ = take(at, from->ids[i]);
}

static struct item *item_new(const struct mt_audit_record *records, size_t n)
{
    size_t bytes = n * (sizeof *records + sizeof(uint64_t));
    size_t ids_n = 0;

    for (size_t i = 0; i < n; i++) {
        bytes += size_of(&records[i]);
        ids_n += records[i].ids_n;
    }
    struct item *item = mt_mem_calloc(1, sizeof *item);
    char *block = item ? mt_mem_alloc(bytes + 1) : NULL;
    if (!block) {
        mt_mem_free(item);
        return NULL;
    }
    item->n = n;
    item->bytes = bytes;
    item->records = (struct mt_audit_record *)block;
    item->numbers = (uint64_t *)(block + n * sizeof *records);
    const char **ids = (const char **)(item->numbers + n);
    char *at = (char *)(ids + ids_n);
    for (size_t i = 0; i < n; i++)
        copy(&item->records[i], &records[i], &ids, &at);
    return item;
}

static void item_free(struct item *item)
{
    mt_mem_free(item->records);
    mt_mem_free(item);
}

static void visit_free(struct visit *visit)
{
    mt_mem_free(visit->account);
    mt_mem_free(visit);
}

/* ---------------------------------------------------------------- on the pool */

static enum mt_rc open_first(struct mt_audit_log *log, struct mt_fault *fault)
{
    return log->audit ? MT_OK : mt_audit_open(&log->options, &log->audit, fault);
}

/* All of the flight in one append. */
static enum mt_rc append_all(struct mt_audit_log *log, size_t n, struct mt_fault *fault)
{
    struct mt_audit_record *records = mt_mem_calloc(n, sizeof *records);
    uint64_t *numbers = mt_mem_calloc(n, sizeof *numbers);
    size_t at = 0;
    enum mt_rc rc = MT_OK;

    for (struct item *item = log->flight; item && records; item = item->next) {
        memcpy(records + at, item->records, item->n * sizeof *records);
        at += item->n;
    }
    if (!records || !numbers)
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    else
        rc = mt_audit_append(log->audit, records, n, numbers, fault);
    at = 0;
    for (struct item *item = log->flight; item && numbers && !rc; item = item->next) {
        memcpy(item->numbers, numbers + at, item->n * sizeof *numbers);
        at += item->n;
    }
    mt_mem_free(records);
    mt_mem_free(numbers);
    return rc;
}

static void append_flight(struct mt_audit_log *log)
{
    struct mt_fault fault;
    size_t n = 0;
    enum mt_rc rc = open_first(log, &fault);

    for (const struct item *item = log->flight; item; item = item->next)
        n += item->n;
    if (!rc)
        rc = append_all(log, n, &fault);
    bool alone = rc == MT_ERR_INVALID || rc == MT_ERR_LIMIT; /* one of them is not right */
    for (struct item *item = log->flight; item; item = item->next) {
        item->rc =
            alone ? mt_audit_append(log->audit, item->records, item->n, item->numbers, &item->fault)
                  : rc;
        if (rc && !alone)
            item->fault = fault;
    }
}

static void work(void *ud)
{
    struct mt_audit_log *log = ud;
    const struct visit *visit = log->visit;
    struct mt_fault fault;
    enum mt_rc rc = MT_OK;

    if (log->doing == APPEND) {
        append_flight(log);
    } else if (log->doing == VISIT && visit->each) {
        log->rc = open_first(log, &log->fault);
        if (!log->rc)
            log->rc =
                mt_audit_unsettled(log->audit, visit->account, visit->each, visit->ud, &log->fault);
    } else if (log->doing == VISIT) {
        log->rc = MT_OK;
    } else if (log->doing == CLOSE) {
        rc = mt_audit_close(log->audit, &fault);
        log->audit = NULL;
    } else if (log->audit) {
        rc = mt_audit_head(log->audit, &fault);
    }
    if (rc)
        mt_log(MT_LOG_WARN, "audit", "%s", fault.message);
}

/* ---------------------------------------------------------------- on the loop */

static void log_free(struct mt_audit_log *log)
{
    mt_timer_free(log->timer);
    mt_timer_free(log->pace);
    mt_mem_free(log->dir);
    mt_mem_free(log->anchor);
    mt_mem_free(log->open);
    mt_mem_free(log);
}

/* ---------------------------------------------------------------- what is open */

/* Without memory for it, and beyond the bound, it is not looked after: only figures miss it. */
static void note_intent(struct mt_audit_log *log, uint64_t number)
{
    if (log->open_n == log->open_cap && log->open_cap < MT_AUDIT_OPEN_MAX) {
        size_t cap = log->open_cap ? log->open_cap * 2 : 64;
        struct open *open = mt_mem_realloc(log->open, cap * sizeof *open);
        if (!open)
            return;
        log->open = open;
        log->open_cap = cap;
    }
    if (log->open_n < log->open_cap)
        log->open[log->open_n++] = (struct open){number, mt_clock_wall_ms()};
}

/* Numbers ascend. */
static void note_result(struct mt_audit_log *log, uint64_t number)
{
    size_t low = 0, high = log->open_n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (log->open[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == log->open_n || log->open[low].number != number)
        return;
    memmove(log->open + low, log->open + low + 1, (log->open_n - low - 1) * sizeof *log->open);
    log->open_n--;
}

static void note(struct mt_audit_log *log, const struct item *list)
{
    for (; list; list = list->next) {
        log->failures_n += list->rc != MT_OK;
        for (size_t i = 0; i < list->n && !list->rc; i++) {
            if (list->records[i].type == MT_AUDIT_INTENT)
                note_intent(log, list->numbers[i]);
            else if (list->records[i].type == MT_AUDIT_RESULT)
                note_result(log, list->records[i].intent);
        }
    }
}

void mt_audit_log_look(const struct mt_audit_log *log, struct mt_audit_figures *out)
{
    memset(out, 0, sizeof *out);
    out->open_n = log->open_n;
    out->oldest_ms = log->open_n ? log->open[0].at_ms : 0;
    out->failures_n = log->failures_n;
}

static void tell_items(const struct mt_audit_log *log, struct item *list)
{
    while (list) {
        struct item *next = list->next;
        if (!log->freeing && list->done)
            list->done(list->ud, list->rc, list->numbers, list->n, list->rc ? &list->fault : NULL);
        else if (list->rc)
            mt_log(MT_LOG_ERROR, "audit", "%s", list->fault.message);
        item_free(list);
        list = next;
    }
}

/* What gathers, from the first on as much as one append takes. */
static struct item *take_flight(struct mt_audit_log *log)
{
    struct item *list = log->gather, *last = NULL;
    size_t bytes = 0;

    for (struct item *item = list; item && bytes < FLIGHT_MAX_BYTES; item = item->next) {
        bytes += item->bytes;
        log->waiting_n -= item->done != NULL;
        last = item;
    }
    if (!last)
        return NULL;
    log->gather_bytes -= bytes;
    log->gather = last->next;
    if (!log->gather)
        log->gather_last = NULL;
    last->next = NULL;
    return list;
}

static void put(struct mt_audit_log *log, struct item *item)
{
    if (log->gather_last)
        log->gather_last->next = item;
    else
        log->gather = item;
    if (!log->gather_last)
        log->gather_us = mt_clock_mono_us();
    log->gather_last = item;
    log->gather_bytes += item->bytes;
    log->waiting_n += item->done != NULL;
}

/* The flight that could not begin stands before what came after it. */
static void put_back(struct mt_audit_log *log)
{
    struct item *list = log->flight, *last = NULL;

    for (struct item *item = list; item; item = item->next) {
        log->gather_bytes += item->bytes;
        log->waiting_n += item->done != NULL;
        last = item;
    }
    if (!last)
        return;
    last->next = log->gather;
    if (!log->gather)
        log->gather_last = last;
    log->gather = list;
    log->flight = NULL;
    mt_timer_start(log->pace, IDLE_US / 1000, 0); /* memory is short: perhaps not for long */
}

/* No work can be begun. */
static void fail_all(struct mt_audit_log *log)
{
    struct item *list = log->gather;

    log->gather = NULL;
    log->gather_last = NULL;
    log->gather_bytes = 0;
    log->waiting_n = 0;
    for (struct item *item = list; item; item = item->next)
        item->rc = mt_fault_set(&item->fault, MT_ERR_NOMEM, "memory", "out of memory");
    tell_items(log, list);
    while (log->visits) {
        struct visit *visit = log->visits;
        struct mt_fault fault;
        log->visits = visit->next;
        mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory");
        if (!log->freeing)
            visit->done(visit->ud, MT_ERR_NOMEM, &fault);
        visit_free(visit);
    }
    log->visits_last = NULL;
}

static void worked(void *ud, bool cancelled)
{
    struct mt_audit_log *log = ud;
    struct item *list = log->flight;
    struct visit *visit = log->visit;
    bool was_last = log->doing == CLOSE;

    log->flight = NULL;
    log->visit = NULL;
    for (struct item *item = list; item && cancelled; item = item->next)
        item->rc = mt_fault_set(&item->fault, MT_ERR_CANCELLED, "audit.cancelled",
                                "writing the audit was cancelled");
    if (cancelled)
        log->rc = mt_fault_set(&log->fault, MT_ERR_CANCELLED, "audit.cancelled",
                               "reading the audit was cancelled");
    note(log, list);
    tell_items(log, list); /* still busy: what they append gathers */
    if (visit) {
        log->visits = visit->next;
        if (!log->visits)
            log->visits_last = NULL;
        if (!log->freeing)
            visit->done(visit->ud, log->rc, log->rc ? &log->fault : NULL);
        visit_free(visit);
    }
    log->busy = false;
    if (was_last) {
        log_free(log);
        return;
    }
    if (list && log->timer && !log->freeing)
        mt_timer_start(log->timer, log->options.head_every_ms, 0);
    if (!start(log)) {
        fail_all(log);
        if (log->freeing)
            log_free(log); /* the head stays as old as it is */
    }
}

static void head_due(void *ud)
{
    struct mt_audit_log *log = ud;

    log->head_due = true;
    (void)start(log);
}

/* For how long gather's turn does not come yet. */
static int64_t early_us(const struct mt_audit_log *log)
{
    if (log->freeing || log->visits || log->gather_bytes >= FLIGHT_MAX_BYTES)
        return 0;
    int64_t at = log->waiting_n ? log->append_us + PACE_US : log->gather_us + IDLE_US;
    return at - mt_clock_mono_us();
}

/* False: there is something to do, and it cannot be begun. */
static bool start(struct mt_audit_log *log)
{
    if (log->busy || (!log->gather && !log->visits && !log->freeing && !log->head_due))
        return true;
    if (log->gather) {
        int64_t early = early_us(log);
        if (early > 0) {
            mt_timer_start(log->pace, (early + 999) / 1000, 0);
            return true;
        }
        log->append_us = mt_clock_mono_us();
    }
    log->busy = true;
    log->head_due = false;
    log->rc = MT_OK;
    log->flight = take_flight(log);
    log->visit = log->flight ? NULL : log->visits;
    log->doing = log->flight ? APPEND : log->visit ? VISIT : log->freeing ? CLOSE : HEAD;
    if (!mt_work_start(log->loop, work, worked, log, NULL))
        return true;
    put_back(log);
    log->visit = NULL;
    log->busy = false;
    return false;
}

static void pace_due(void *ud)
{
    struct mt_audit_log *log = ud;

    if (!start(log))
        fail_all(log);
}

struct mt_audit_log *mt_audit_log_new(struct mt_loop *loop, const struct mt_audit_options *options)
{
    struct mt_audit_log *log = mt_mem_calloc(1, sizeof *log);

    if (!log)
        return NULL;
    log->loop = loop;
    log->options = *options;
    log->dir = mt_mem_strdup(options->dir);
    log->anchor = options->anchor ? mt_mem_strdup(options->anchor) : NULL;
    log->options.dir = log->dir;
    log->options.anchor = log->anchor;
    if (log->options.head_every_ms <= 0)
        log->options.head_every_ms = HEAD_MS;
    if (!log->dir || (options->anchor && !log->anchor) ||
        mt_timer_new(loop, head_due, log, &log->timer) ||
        mt_timer_new(loop, pace_due, log, &log->pace)) {
        log_free(log);
        return NULL;
    }
    mt_timer_unref(log->timer);
    return log;
}

void mt_audit_log_free(struct mt_audit_log *log)
{
    if (!log)
        return;
    mt_timer_free(log->timer);
    log->timer = NULL;
    log->freeing = true;
    if (log->busy)
        return; /* worked goes on from there */
    if (!log->audit && !log->gather && !log->visits) {
        log_free(log);
    } else if (!start(log)) {
        fail_all(log);
        log->doing = CLOSE;
        work(log); /* it blocks, at the end of all */
        log_free(log);
    }
}

enum mt_rc mt_audit_log_append(struct mt_audit_log *log, const struct mt_audit_record *records,
                               size_t n, mt_audit_done_fn *done, void *ud)
{
    struct item *item = log->freeing ? NULL : item_new(records, n);

    if (!item)
        return log->freeing ? MT_ERR_STATE : MT_ERR_NOMEM;
    item->done = done;
    item->ud = ud;
    put(log, item);
    (void)start(log); /* where it cannot, pace has it */
    return MT_OK;
}

enum mt_rc
mt_audit_log_unsettled(struct mt_audit_log *log, const char *account, mt_audit_open_fn *each,
                       void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                       void *ud)
{
    struct visit *visit = log->freeing ? NULL : mt_mem_calloc(1, sizeof *visit);

    if (!visit)
        return log->freeing ? MT_ERR_STATE : MT_ERR_NOMEM;
    visit->account = account ? mt_mem_strdup(account) : NULL;
    visit->each = each;
    visit->done = done;
    visit->ud = ud;
    if (account && !visit->account) {
        visit_free(visit);
        return MT_ERR_NOMEM;
    }
    struct visit *before = log->visits_last;
    if (before)
        before->next = visit;
    else
        log->visits = visit;
    log->visits_last = visit;
    if (start(log))
        return MT_OK;
    if (before)
        before->next = NULL;
    else
        log->visits = NULL;
    log->visits_last = before;
    visit_free(visit);
    return MT_ERR_NOMEM;
}

enum mt_rc mt_audit_log_settle(struct mt_audit_log *log,
                               void (*done)(void *ud, enum mt_rc rc, const struct mt_fault *fault),
                               void *ud)
{
    return mt_audit_log_unsettled(log, NULL, NULL, done, ud);
}
