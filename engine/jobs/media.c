/* The job: conversations are read one after the other on the work pool; what has an attachment that
 * is not known is queued, fetched by a few downloads at once, and committed in groups. Reading goes
 * on when the queue is empty, so that many small conversations do not wait for each other.
 *
 * Only the loop thread touches the queue and what the media index knows; the pool has one reading
 * and one commit at a time. */
#include "jobs/media.h"

#include "archive/media.h"
#include "archive/writer.h"
#include "base/buf.h"
#include "base/mem.h"
#include "codec/json.h"
#include "loop/loop.h"
#include "provider/live.h"

#include <stdio.h>
#include <string.h>

#define PARALLEL       4u
#define PARALLEL_MAX   32u
#define FAILURES_MAX   5u
#define LINE_MAX_BYTES ((size_t)64 << 20)

/* One message's attachment, from its line to its commit. */
struct want {
    struct want *next;
    struct mt_media_job *job;
    struct mt_provider_call *call;
    const char *conversation; /* the job's */
    char message[MT_ID_MAX];
    char *remote_path, *secret;
    char temp[MT_MEDIA_PATH_MAX];
    char sha256[65];
    char missing[MT_MEDIA_CODE_MAX];
    char known[MT_MEDIA_CODE_MAX]; /* why it was missing so far; "": it was not asked for */
    int64_t bytes;
    bool fetched;
    struct mt_field fields[2];
    struct mt_value body;
};

struct wants {
    struct want *first, *last;
    size_t n;
};

struct mt_media_job {
    struct mt_loop *loop;
    const struct mt_provider *provider;
    struct mt_provider_account *account;
    struct mt_writer *writer;
    struct mt_media *media;
    unsigned parallel;
    int64_t max_bytes;
    char **conversations;
    size_t conversations_n, next;
    void (*progress)(void *ud, const struct mt_media_result *so_far);
    void (*done)(void *ud, enum mt_rc rc, const struct mt_media_result *result,
                 const struct mt_fault *fault);
    void *ud;
    struct mt_media_result result;
    struct wants queue;   /* to be fetched */
    struct wants running; /* being fetched */
    struct wants ready;   /* to be committed */
    unsigned failures;    /* in a row */
    bool busy;            /* opening, reading or listing */
    bool committing;
    bool listed;
    bool begun; /* the archive knows that attachments are being written */
    bool ending;
    enum mt_rc rc;
    struct mt_fault fault;
    /* the pool's */
    struct wants found;
    enum mt_rc pool_rc;
    struct mt_fault pool_fault;
    struct want *group; /* being committed */
    struct mt_media_item *items;
    size_t items_n;
    enum mt_rc commit_rc;
    struct mt_fault commit_fault;
};

static void turn(struct mt_media_job *job);

/* ---------------------------------------------------------------- lists */

static void push(struct wants *list, struct want *want)
{
    want->next = NULL;
    if (list->last)
        list->last->next = want;
    else
        list->first = want;
    list->last = want;
    list->n++;
}

static struct want *pop(struct wants *list)
{
    struct want *want = list->first;

    list->first = want->next;
    if (!list->first)
        list->last = NULL;
    list->n--;
    return want;
}

static void take_out(struct wants *list, struct want *want)
{
    struct wants rest = {0};

    while (list->first) {
        struct want *each = pop(list);
        if (each != want)
            push(&rest, each);
    }
    *list = rest;
}

static void want_free(struct want *want)
{
    mt_mem_free(want->remote_path);
    mt_mem_free(want->secret);
    mt_mem_free(want);
}

static void clear(struct wants *list)
{
    while (list->first)
        want_free(pop(list));
}

/* ---------------------------------------------------------------- the end */

static void fail(struct mt_media_job *job, enum mt_rc rc, const struct mt_fault *fault)
{
    if (job->ending && job->rc)
        return;
    job->ending = true;
    job->rc = rc;
    job->fault = *fault;
    clear(&job->queue);
    for (struct want *want = job->running.first; want; want = want->next)
        if (want->call)
            job->provider->cancel(want->call);
}

static void no_memory(struct mt_media_job *job)
{
    struct mt_fault fault;
    fail(job, mt_fault_set(&fault, MT_ERR_NOMEM, "memory", "out of memory"), &fault);
}

static void job_free(struct mt_media_job *job)
{
    clear(&job->queue);
    clear(&job->ready);
    clear(&job->found);
    for (size_t i = 0; i < job->conversations_n; i++)
        mt_mem_free(job->conversations[i]);
    mt_mem_free(job->conversations);
    mt_media_free(job->media);
    mt_mem_free(job);
}

static void finish(struct mt_media_job *job)
{
    job->done(job->ud, job->rc, &job->result, job->rc ? &job->fault : NULL);
    job_free(job);
}

/* ---------------------------------------------------------------- reading the archive */

static bool add_conversation(struct mt_media_job *job, const char *id)
{
    char **list =
        mt_mem_realloc(job->conversations, (job->conversations_n + 1) * sizeof *job->conversations);

    if (!list)
        return false;
    job->conversations = list;
    list[job->conversations_n] = mt_mem_strdup(id);
    if (!list[job->conversations_n])
        return false;
    job->conversations_n++;
    return true;
}

static bool each_state(void *ud, const struct mt_archive_state *state)
{
    struct mt_media_job *job = ud;

    if (!add_conversation(job, state->conversation))
        job->rc = MT_ERR_NOMEM;
    return !job->rc;
}

static struct want *want_of(const struct mt_json *line, const char *conversation)
{
    const struct mt_json *body = mt_json_get(line, "body");
    const char *remote = mt_json_str(mt_json_get(body, "remote_path"));
    const char *secret = mt_json_str(mt_json_get(body, "secret"));
    struct want *want = mt_mem_calloc(1, sizeof *want);

    if (!want)
        return NULL;
    want->conversation = conversation;
    want->remote_path = mt_mem_strdup(remote);
    want->secret = secret ? mt_mem_strdup(secret) : NULL;
    if (!want->remote_path || (secret && !want->secret)) {
        want_free(want);
        return NULL;
    }
    want->fields[0].key = "remote_path";
    want->fields[0].value =
        (struct mt_value){.type = MT_VALUE_STR, .s = want->remote_path, .len = strlen(remote)};
    want->fields[1].key = "secret";
    want->fields[1].value = (struct mt_value){
        .type = MT_VALUE_STR, .s = want->secret, .len = secret ? strlen(secret) : 0};
    want->body.type = MT_VALUE_MAP;
    want->body.fields = want->fields;
    want->body.fields_n = secret ? 2 : 1;
    return want;
}

static enum mt_rc each_line(void *ud, const char *text, size_t len)
{
    static const char mark[] = "\"remote_path\"";
    struct mt_media_job *job = ud;
    struct mt_json *line = NULL;

    if (!memmem(text, len, mark, strlen(mark)))
        return MT_OK;
    enum mt_rc rc = mt_json_parse(text, len, LINE_MAX_BYTES, &line, NULL);
    if (rc)
        return rc == MT_ERR_NOMEM ? rc : MT_OK; /* verify's business */
    const char *remote = mt_json_str(mt_json_get(mt_json_get(line, "body"), "remote_path"));
    const char *id = mt_json_str(mt_json_get(line, "id"));
    if (!mt_json_str(mt_json_get(line, "type")) && remote && *remote && id && *id &&
        strlen(id) < MT_ID_MAX) {
        struct want *want = want_of(line, job->conversations[job->next - 1]);
        if (want) {
            memcpy(want->message, id, strlen(id) + 1);
            push(&job->found, want);
        } else {
            rc = MT_ERR_NOMEM;
        }
    }
    mt_json_free(line);
    return rc;
}

static void read_lines(void *ud, struct mt_archive *archive)
{
    struct mt_media_job *job = ud;
    job->pool_rc = mt_archive_lines(archive, job->conversations[job->next - 1], 0, 0, each_line,
                                    job, &job->pool_fault);
}

/* What is known needs nothing; what was refused for good is not asked for again, unless it may have
 * been permitted meanwhile: by the cloud, or by who wrote the configuration. */
static void sort(struct mt_media_job *job, struct want *want)
{
    static const char *const hopeful[] = {"download.forbidden", "download.too_large",
                                          "download.foreign"};
    const char *code = NULL;
    enum mt_media_state state = mt_media_find(job->media, want->conversation, want->message, &code);
    bool again = state == MT_MEDIA_NEW;

    job->result.found_n++;
    for (size_t i = 0; state == MT_MEDIA_MISSING && i < sizeof hopeful / sizeof *hopeful; i++)
        again = again || !strcmp(code, hopeful[i]);
    if (again) {
        want->job = job;
        if (state == MT_MEDIA_MISSING)
            snprintf(want->known, sizeof want->known, "%s", code);
        push(&job->queue, want);
        return;
    }
    if (state == MT_MEDIA_THERE)
        job->result.known_n++;
    else
        job->result.missing_n++;
    want_free(want);
}

static void have_read(void *ud)
{
    struct mt_media_job *job = ud;

    job->busy = false;
    if (job->pool_rc)
        fail(job, job->pool_rc, &job->pool_fault);
    while (job->found.first) {
        struct want *want = pop(&job->found);
        if (job->ending)
            want_free(want);
        else
            sort(job, want);
    }
    turn(job);
}

static void read_next(struct mt_media_job *job)
{
    job->next++;
    job->busy = true;
    if (mt_writer_run(job->writer, read_lines, have_read, job)) {
        job->busy = false;
        no_memory(job);
    }
}

/* ---------------------------------------------------------------- fetching */

static bool is_final(const struct mt_fault *fault)
{
    static const char *const codes[] = {"download.expired",  "download.gone", "download.forbidden",
                                        "download.foreign",  "download.none", "download.secret",
                                        "download.too_large"};

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (!strcmp(codes[i], fault->code))
            return true;
    return false;
}

static void tell(struct mt_media_job *job)
{
    if (job->progress && !job->ending)
        job->progress(job->ud, &job->result);
}

static void could_not(struct mt_media_job *job, struct want *want, const struct mt_fault *fault)
{
    job->result.failed_n++;
    job->result.failure = *fault;
    want_free(want);
    if (fault->kind == MT_ERR_IO || fault->kind == MT_ERR_AUTH || fault->kind == MT_ERR_NOMEM ||
        ++job->failures >= FAILURES_MAX)
        fail(job, fault->kind, fault);
}

static void fetched(void *ud, enum mt_rc rc, const struct mt_downloaded *downloaded,
                    const struct mt_fault *fault)
{
    struct want *want = ud;
    struct mt_media_job *job = want->job;

    want->call = NULL;
    take_out(&job->running, want);
    if (!rc) {
        want->bytes = downloaded->bytes;
        want->fetched = true;
        snprintf(want->sha256, sizeof want->sha256, "%s", downloaded->sha256);
        job->failures = 0;
        push(&job->ready, want);
    } else if (is_final(fault) && strcmp(fault->code, want->known) == 0) {
        job->failures = 0; /* as the archive says already */
        job->result.missing_n++;
        want_free(want);
    } else if (is_final(fault)) {
        snprintf(want->missing, sizeof want->missing, "%s", fault->code);
        job->failures = 0;
        push(&job->ready, want);
    } else if (rc == MT_ERR_CANCELLED) {
        want_free(want);
    } else {
        could_not(job, want, fault);
    }
    turn(job);
}

static void fetch(struct mt_media_job *job, struct want *want)
{
    const char *known = mt_media_known(job->media, want->remote_path, &want->bytes);

    if (known) { /* the same attachment in another message */
        snprintf(want->sha256, sizeof want->sha256, "%s", known);
        push(&job->ready, want);
        return;
    }
    mt_media_temp(job->media, want->temp);
    struct mt_download what = {
        .body = &want->body, .path = want->temp, .any_size = true, .max_bytes = job->max_bytes};
    push(&job->running, want);
    if (job->provider->live->download(job->account, &what, NULL, fetched, want, &want->call)) {
        take_out(&job->running, want);
        want_free(want);
        no_memory(job);
    }
}

/* ---------------------------------------------------------------- committing */

static void commit(void *ud)
{
    struct mt_media_job *job = ud;
    job->commit_rc = mt_media_commit(job->media, job->items, job->items_n, &job->commit_fault);
}

static void count(struct mt_media_job *job)
{
    for (const struct want *want = job->group; want; want = want->next) {
        if (want->missing[0])
            job->result.missing_n++;
        else
            job->result.fetched_n++;
        if (want->fetched)
            job->result.bytes += want->bytes;
    }
}

static void settle(struct mt_media_job *job, bool cancelled)
{
    job->committing = false;
    if (!job->commit_rc && !cancelled) {
        count(job);
        if (mt_media_note(job->media, job->items, job->items_n))
            no_memory(job);
    } else {
        fail(job, job->commit_rc ? job->commit_rc : MT_ERR_CANCELLED, &job->commit_fault);
    }
    while (job->group) {
        struct want *next = job->group->next;
        want_free(job->group);
        job->group = next;
    }
    mt_mem_free(job->items);
    job->items = NULL;
}

static void committed(void *ud, bool cancelled)
{
    struct mt_media_job *job = ud;

    settle(job, cancelled);
    tell(job);
    turn(job);
}

static void start_commit(struct mt_media_job *job)
{
    size_t n = 0;

    job->items = mt_mem_calloc(job->ready.n, sizeof *job->items);
    if (!job->items) {
        clear(&job->ready);
        no_memory(job);
        return;
    }
    for (const struct want *want = job->ready.first; want; want = want->next)
        job->items[n++] = (struct mt_media_item){
            .conversation = want->conversation,
            .message = want->message,
            .remote_path = want->remote_path,
            .missing = want->missing[0] ? want->missing : NULL,
            .sha256 = want->sha256,
            .size_bytes = want->bytes,
            .temp = want->fetched ? want->temp : NULL,
        };
    job->items_n = n;
    job->group = job->ready.first;
    job->ready = (struct wants){0};
    job->committing = true;
    if (mt_work_start(job->loop, commit, committed, job, NULL)) {
        job->commit_rc = mt_fault_set(&job->commit_fault, MT_ERR_NOMEM, "memory", "out of memory");
        committed(job, false);
    }
}

/* ---------------------------------------------------------------- turns */

static void begin(void *ud, struct mt_archive *archive)
{
    struct mt_media_job *job = ud;
    job->pool_rc = mt_media_begin(archive, &job->pool_fault);
}

static void have_begun(void *ud)
{
    struct mt_media_job *job = ud;

    job->busy = false;
    job->begun = true;
    if (job->pool_rc)
        fail(job, job->pool_rc, &job->pool_fault);
    turn(job);
}

/* Once, when there is something to fetch. */
static void start_begin(struct mt_media_job *job)
{
    job->busy = true;
    if (mt_writer_run(job->writer, begin, have_begun, job)) {
        job->busy = false;
        no_memory(job);
    }
}

static void list(void *ud)
{
    struct mt_media_job *job = ud;
    job->pool_rc = mt_media_list_missing(job->media, &job->pool_fault);
}

static void have_listed(void *ud, bool cancelled)
{
    struct mt_media_job *job = ud;

    (void)cancelled;
    job->busy = false;
    if (job->pool_rc)
        fail(job, job->pool_rc, &job->pool_fault);
    turn(job);
}

/* The last thing, also after a failure: what is missing so far. */
static void start_list(struct mt_media_job *job)
{
    job->listed = true;
    job->busy = true;
    if (mt_work_start(job->loop, list, have_listed, job, NULL)) {
        job->busy = false;
        no_memory(job);
    }
}

static bool is_idle(const struct mt_media_job *job)
{
    return !job->busy && !job->committing && !job->running.first && !job->queue.first &&
           !job->ready.first;
}

static void start_work(struct mt_media_job *job)
{
    if (job->ending)
        return;
    if (job->queue.first && !job->begun && !job->busy)
        start_begin(job);
    while (!job->ending && job->begun && job->queue.first && job->running.n < job->parallel)
        fetch(job, pop(&job->queue));
    if (!job->ending && !job->busy && !job->queue.first && job->next < job->conversations_n)
        read_next(job);
}

/* Starts whatever can be started; the job may be gone afterwards. */
static void turn(struct mt_media_job *job)
{
    if (!job->media) {
        if (!job->busy) /* could not be opened */
            finish(job);
        return;
    }
    start_work(job);
    if (!job->committing && job->ready.first)
        start_commit(job);
    if (is_idle(job) && !job->listed)
        start_list(job);
    if (is_idle(job))
        finish(job);
}

static void open_media(void *ud, struct mt_archive *archive)
{
    struct mt_media_job *job = ud;
    job->pool_rc = mt_media_open(archive, &job->media, &job->pool_fault);
}

static void have_opened(void *ud)
{
    struct mt_media_job *job = ud;

    job->busy = false;
    if (job->pool_rc)
        fail(job, job->pool_rc, &job->pool_fault);
    turn(job);
}

enum mt_rc mt_media_start(struct mt_loop *loop, const struct mt_provider *provider,
                          struct mt_provider_account *account, struct mt_writer *writer,
                          const struct mt_media_options *options,
                          void (*progress)(void *ud, const struct mt_media_result *so_far),
                          void (*done)(void *ud, enum mt_rc rc,
                                       const struct mt_media_result *result,
                                       const struct mt_fault *fault),
                          void *ud, struct mt_media_job **out, struct mt_fault *fault)
{
    struct mt_media_job *job = NULL;

    if (!provider->live || !provider->live->download)
        return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "attachments.unsupported",
                            "attachments cannot be fetched through %s", provider->name);
    job = mt_mem_calloc(1, sizeof *job);
    if (!job)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    job->loop = loop;
    job->provider = provider;
    job->account = account;
    job->writer = writer;
    job->parallel = options->parallel ? options->parallel : PARALLEL;
    if (job->parallel > PARALLEL_MAX)
        job->parallel = PARALLEL_MAX;
    job->max_bytes = options->max_bytes;
    job->progress = progress;
    job->done = done;
    job->ud = ud;
    if (!options->conversations)
        mt_writer_each(writer, each_state, job);
    for (size_t i = 0; options->conversations && options->conversations[i] && !job->rc; i++)
        if (!add_conversation(job, options->conversations[i]))
            job->rc = MT_ERR_NOMEM;
    job->busy = true;
    if (job->rc || mt_writer_run(writer, open_media, have_opened, job)) {
        job_free(job);
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    *out = job;
    return MT_OK;
}

void mt_media_cancel(struct mt_media_job *job)
{
    struct mt_fault fault;

    fail(job, mt_fault_set(&fault, MT_ERR_CANCELLED, "cancelled", "cancelled"), &fault);
}
