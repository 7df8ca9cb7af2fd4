/* The lines of an export that are no messages: recalls that nobody announced, and gaps. A gap says
 * which range of time was not read; the archive is complete only without an open one. */
#include "jobs/export_int.h"

#include "base/clock.h"
#include "codec/json.h"
#include "codec/time.h"

enum mt_rc mt_export_recall(void *ud, const char *id)
{
    struct mt_export *run = ud;
    struct mt_jsonw w;
    char at[MT_TIME_RFC3339_LEN];
    int64_t now_ms = mt_clock_wall_ms();

    mt_time_format(now_ms, at);
    mt_jsonw_init(&w, &run->lines);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "v");
    mt_jsonw_i64(&w, 1);
    mt_jsonw_key(&w, "type");
    mt_jsonw_str(&w, "recall");
    mt_jsonw_key(&w, "target");
    mt_jsonw_str(&w, id);
    mt_jsonw_key(&w, "id");
    mt_jsonw_str(&w, id);
    mt_jsonw_key(&w, "conversation");
    mt_jsonw_str(&w, run->conversation);
    mt_jsonw_key(&w, "time");
    mt_jsonw_i64(&w, now_ms);
    mt_jsonw_key(&w, "at");
    mt_jsonw_str(&w, at);
    mt_jsonw_key(&w, "reason");
    mt_jsonw_str(&w, "gone from the cloud: recalled or deleted there");
    mt_jsonw_object_end(&w);
    run->pending.recalls_n++;
    return mt_buf_append_char(&run->lines, '\n');
}

static enum mt_rc write_gap(struct mt_export *run, const struct mt_known_gap *gap,
                            const char *reason, bool closed)
{
    struct mt_jsonw w;

    mt_jsonw_init(&w, &run->lines);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "v");
    mt_jsonw_i64(&w, 1);
    mt_jsonw_key(&w, "type");
    mt_jsonw_str(&w, "gap");
    mt_jsonw_key(&w, "conversation");
    mt_jsonw_str(&w, run->conversation);
    mt_jsonw_key(&w, "since");
    mt_jsonw_i64(&w, gap->since_ms);
    mt_jsonw_key(&w, "until");
    mt_jsonw_i64(&w, gap->until_ms);
    mt_jsonw_key(&w, "reason");
    mt_jsonw_str(&w, reason);
    if (closed) {
        mt_jsonw_key(&w, "closed");
        mt_jsonw_bool(&w, true);
    }
    mt_jsonw_object_end(&w);
    return mt_buf_append_char(&run->lines, '\n');
}

static const struct mt_known_gap *open_gaps(const struct mt_export *run, size_t *n)
{
    *n = 0;
    return run->known ? mt_known_gaps(run->known, n) : NULL;
}

/* An end of 0 is an open one. */
static bool ends_within(int64_t until_ms, int64_t bound_ms)
{
    return !bound_ms || (until_ms && until_ms <= bound_ms);
}

static bool covered(const struct mt_export *run, const struct mt_known_gap *gap)
{
    size_t n = 0;
    const struct mt_known_gap *open = open_gaps(run, &n);

    for (size_t i = 0; i < n; i++) {
        if (open[i].since_ms <= gap->since_ms && ends_within(gap->until_ms, open[i].until_ms))
            return true;
    }
    return false;
}

static enum mt_rc leave_gap(struct mt_export *run, struct mt_archive_batch *batch,
                            const struct mt_known_gap *gap, const char *reason)
{
    if (covered(run, gap))
        return MT_OK; /* said before, by a run with the same options */
    batch->gaps_n++;
    batch->lines_n++;
    run->pending.gaps_n++;
    return write_gap(run, gap, reason, false);
}

bool mt_export_filtered(const struct mt_export *run)
{
    return run->from || run->kinds[0] || run->options.min_size_bytes || run->options.max_size_bytes;
}

enum mt_rc mt_export_leave_gaps(struct mt_export *run, struct mt_archive_batch *batch)
{
    int64_t since_ms = run->resumes ? 0 : run->options.since_ms;
    enum mt_rc rc = MT_OK;

    if (since_ms > 0 && !run->since_gap) {
        struct mt_known_gap gap = {0, since_ms};
        run->since_gap = true;
        rc = leave_gap(run, batch, &gap, "before the start that was asked for");
    }
    if (!rc && run->result.filtered_n + run->pending.filtered_n && !run->filter_gap) {
        struct mt_known_gap gap = {since_ms, run->options.until_ms};
        run->filter_gap = true;
        rc = leave_gap(run, batch, &gap, "left out by a filter");
    }
    return rc;
}

bool mt_export_fillable(const struct mt_export *run, int64_t *since_ms)
{
    size_t n = 0;
    const struct mt_known_gap *gaps = open_gaps(run, &n);
    int64_t since = run->options.since_ms;
    int64_t until = run->options.until_ms;
    bool found = false;

    for (size_t i = 0; i < n && !mt_export_filtered(run); i++) {
        int64_t from = gaps[i].since_ms > since ? gaps[i].since_ms : since;
        bool meets =
            (!gaps[i].until_ms || gaps[i].until_ms > since) && (!until || gaps[i].since_ms < until);
        if (!meets || (found && from >= *since_ms))
            continue;
        *since_ms = from;
        found = true;
    }
    return found;
}

int64_t mt_export_behind_gaps(const struct mt_export *run, int64_t at_ms)
{
    size_t n = 0;
    const struct mt_known_gap *gaps = open_gaps(run, &n);

    for (size_t i = 0; i < n; i++) {
        if (gaps[i].since_ms <= at_ms && gaps[i].until_ms > at_ms) {
            at_ms = gaps[i].until_ms;
            i = SIZE_MAX; /* and that may lie in another: from the first again */
        }
    }
    return at_ms;
}

enum mt_rc mt_export_close_gaps(struct mt_export *run, struct mt_archive_batch *batch,
                                size_t *open_n)
{
    size_t n = 0;
    const struct mt_known_gap *gaps = open_gaps(run, &n);
    int64_t read_since_ms = run->compares  ? run->known_since_ms
                            : run->resumes ? INT64_MAX /* only what is new was read */
                                           : run->options.since_ms;
    enum mt_rc rc = MT_OK;

    *open_n = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        const struct mt_known_gap *gap = &gaps[i];
        bool to_its_end =
            !mt_export_filtered(run) && ends_within(gap->until_ms, run->options.until_ms);
        bool touched = !gap->until_ms || gap->until_ms > read_since_ms;
        struct mt_known_gap rest = {gap->since_ms, read_since_ms};

        if (!to_its_end || !touched) {
            (*open_n)++;
            continue;
        }
        batch->lines_n++;
        rc = write_gap(run, gap, "read by a later run", true);
        if (rc || rest.since_ms >= rest.until_ms)
            continue;
        (*open_n)++; /* the beginning is still missing */
        batch->lines_n++;
        batch->gaps_n++;
        rc = write_gap(run, &rest, "before the start that was asked for", false);
    }
    return rc;
}
