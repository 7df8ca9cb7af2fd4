/* The rate bucket of an app key: tokens, what a refusal does to them, and the queue of calls that
 * wait for one.
 *
 * Additive increase, multiplicative decrease. A refusal (429, or 503 with Retry-After) closes the
 * bucket for all of its calls until the stated time, and halves the rate that was in fact seen in
 * the last seconds; the 63 other answers of the same burst that say the same do not halve it again.
 * Every success afterwards raises the rate by about 2 % of the best rate known per second. */
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/http_int.h"

#define US_PER_S       1000000
#define RATE_MIN_PER_S 0.5
#define RAISE_SHARE    0.02 /* of the peak, each second */
#define RAISE_MIN      0.2  /* requests/s, each second */
#define PEAK_KEEP      0.9  /* how fast a peak is forgotten, each cut */

void bucket_init(struct mt_http_bucket *bucket, struct mt_http *http, double rate_per_s,
                 double burst)
{
    double rate = rate_per_s > 0 ? rate_per_s : 0; /* NaN too */
    *bucket = (struct mt_http_bucket){
        .http = http,
        .limit_per_s = rate,
        .rate_per_s = rate,
        .peak_per_s = rate,
        .burst = burst > 0 ? burst : 0,
        .refilled_us = mt_clock_mono_us(),
    };
    bucket->tokens = bucket->burst > 1 ? bucket->burst : 1;
}

static double burst_of(const struct mt_http_bucket *bucket)
{
    double burst = bucket->burst > 0 ? bucket->burst : bucket->rate_per_s / 4;
    return burst > 1 ? burst : 1;
}

static void refill(struct mt_http_bucket *bucket, int64_t now_us)
{
    double burst = burst_of(bucket);
    if (now_us > bucket->refilled_us) {
        bucket->tokens += (double)(now_us - bucket->refilled_us) / US_PER_S * bucket->rate_per_s;
        bucket->refilled_us = now_us;
    }
    if (bucket->tokens > burst) {
        bucket->tokens = burst;
    }
}

int64_t bucket_wait_us(struct mt_http_bucket *bucket, int64_t now_us)
{
    if (now_us < bucket->blocked_until_us) {
        return bucket->blocked_until_us - now_us;
    }
    if (bucket->rate_per_s <= 0) {
        return 0;
    }
    refill(bucket, now_us);
    if (bucket->tokens >= 1) {
        return 0;
    }
    return (int64_t)((1 - bucket->tokens) / bucket->rate_per_s * US_PER_S) + 1;
}

static void count_sent(struct mt_http_bucket *bucket, int64_t now_us)
{
    int64_t second = now_us / US_PER_S;
    size_t i = (size_t)((uint64_t)second % BUCKET_CELLS);
    if (bucket->cell_s[i] != second) {
        bucket->cell_s[i] = second;
        bucket->cell_n[i] = 0;
    }
    bucket->cell_n[i]++;
}

int64_t bucket_take(struct mt_http_bucket *bucket, int64_t now_us)
{
    int64_t wait_us = bucket_wait_us(bucket, now_us);
    if (wait_us == 0) {
        if (bucket->rate_per_s > 0) {
            bucket->tokens -= 1;
        }
        count_sent(bucket, now_us);
    }
    return wait_us;
}

/* Requests per second over the last seconds, counted from the first of them that saw one. */
static double observed_per_s(const struct mt_http_bucket *bucket, int64_t now_us)
{
    int64_t second = now_us / US_PER_S;
    int64_t since = second;
    double sent_n = 0;
    for (size_t i = 0; i < BUCKET_CELLS; i++) {
        if (bucket->cell_n[i] > 0 && bucket->cell_s[i] > second - BUCKET_CELLS) {
            sent_n += bucket->cell_n[i];
            since = bucket->cell_s[i] < since ? bucket->cell_s[i] : since;
        }
    }
    double span_s = (double)(now_us - since * US_PER_S) / US_PER_S;
    return sent_n / (span_s > 1 ? span_s : 1);
}

static void cut(struct mt_http_bucket *bucket, int64_t now_us)
{
    double base = observed_per_s(bucket, now_us);
    if (bucket->rate_per_s > 0 && bucket->rate_per_s < base) {
        base = bucket->rate_per_s;
    }
    double kept = bucket->peak_per_s * PEAK_KEEP;
    bucket->peak_per_s = base > kept ? base : kept;
    bucket->rate_per_s = base / 2 > RATE_MIN_PER_S ? base / 2 : RATE_MIN_PER_S;
    bucket->cut_us = now_us;
    bucket->raised_us = now_us;
}

int64_t bucket_refused(struct mt_http_bucket *bucket, int64_t now_us, int64_t sent_us,
                       int64_t wait_ms)
{
    bool news = bucket->cut_us == 0 || sent_us > bucket->cut_us;
    if (wait_ms < 0) {
        wait_ms = backoff_ms(bucket->strikes);
        bucket->strikes += news ? 1 : 0;
    }
    if (news) {
        cut(bucket, now_us);
    }
    int64_t until_us = now_us + wait_ms * 1000;
    if (until_us > bucket->blocked_until_us) {
        bucket->blocked_until_us = until_us;
    }
    /* One request tries the water when the time has come. */
    bucket->tokens = 1;
    bucket->refilled_us = bucket->blocked_until_us;
    return (bucket->blocked_until_us - now_us + 999) / 1000;
}

void bucket_succeeded(struct mt_http_bucket *bucket, int64_t now_us, int64_t sent_us)
{
    if (bucket->rate_per_s <= 0 || bucket->cut_us == 0 || sent_us <= bucket->cut_us) {
        return; /* nothing was cut, or this is a late answer from before the cut */
    }
    bucket->strikes = 0;
    double step = bucket->peak_per_s * RAISE_SHARE;
    double seconds = (double)(now_us - bucket->raised_us) / US_PER_S;
    bucket->raised_us = now_us;
    if (seconds <= 0) {
        return;
    }
    refill(bucket, now_us);
    bucket->rate_per_s += (step > RAISE_MIN ? step : RAISE_MIN) * (seconds < 1 ? seconds : 1);
    if (bucket->limit_per_s > 0 && bucket->rate_per_s > bucket->limit_per_s) {
        bucket->rate_per_s = bucket->limit_per_s;
    }
}

static void busy_unlink(struct mt_http_bucket *bucket)
{
    struct mt_http *http = bucket->http;
    if (bucket->busy_prev) {
        bucket->busy_prev->busy_next = bucket->busy_next;
    } else {
        http->busy_first = bucket->busy_next;
    }
    if (bucket->busy_next) {
        bucket->busy_next->busy_prev = bucket->busy_prev;
    } else {
        http->busy_last = bucket->busy_prev;
    }
    bucket->busy_prev = NULL;
    bucket->busy_next = NULL;
    bucket->busy = false;
}

static void busy_link(struct mt_http_bucket *bucket)
{
    struct mt_http *http = bucket->http;
    bucket->busy_prev = http->busy_last;
    if (http->busy_last) {
        http->busy_last->busy_next = bucket;
    } else {
        http->busy_first = bucket;
    }
    http->busy_last = bucket;
    bucket->busy = true;
}

void bucket_turn(struct mt_http_bucket *bucket)
{
    if (bucket->busy) {
        busy_unlink(bucket);
        busy_link(bucket);
    }
}

void bucket_put(struct mt_http_bucket *bucket, struct mt_http_call *call, bool first)
{
    if (first) {
        call_list_push_front(&bucket->waiting, call);
    } else {
        call_list_push(&bucket->waiting, call);
    }
    call->state = CALL_WAITING;
    if (!bucket->busy) {
        busy_link(bucket);
    }
}

void bucket_drop(struct mt_http_bucket *bucket, struct mt_http_call *call)
{
    call_list_remove(&bucket->waiting, call);
    if (!bucket->waiting.first && bucket->busy) {
        busy_unlink(bucket);
    }
}

enum mt_rc mt_http_bucket_new(struct mt_http *http, double rate_per_s, double burst,
                              struct mt_http_bucket **out)
{
    struct mt_http_bucket *bucket = mt_mem_calloc(1, sizeof *bucket);
    if (!bucket) {
        return MT_ERR_NOMEM;
    }
    bucket_init(bucket, http, rate_per_s, burst);
    bucket->next = http->buckets;
    if (http->buckets) {
        http->buckets->prev = bucket;
    }
    http->buckets = bucket;
    *out = bucket;
    return MT_OK;
}

/* Calls that still name the bucket go on without a limit. */
static void orphan(struct mt_http_bucket *bucket, const struct call_list *list)
{
    for (struct mt_http_call *call = list->first; call; call = call->next) {
        if (call->bucket == bucket) {
            call->bucket = &bucket->http->open;
        }
    }
}

void mt_http_bucket_free(struct mt_http_bucket *bucket)
{
    if (!bucket || bucket->shared) {
        return; /* a shared one belongs to its client */
    }
    struct mt_http *http = bucket->http;
    if (http) {
        while (bucket->waiting.first) {
            struct mt_http_call *call = bucket->waiting.first;
            bucket_drop(bucket, call);
            call->bucket = &http->open;
            bucket_put(&http->open, call, false);
        }
        orphan(bucket, &http->wire);
        orphan(bucket, &http->backoff);
        orphan(bucket, &http->finished);
        if (bucket->prev) {
            bucket->prev->next = bucket->next;
        } else {
            http->buckets = bucket->next;
        }
        if (bucket->next) {
            bucket->next->prev = bucket->prev;
        }
        http_pump(http);
    }
    mt_mem_free(bucket);
}

struct mt_http_bucket *mt_http_bucket_shared(struct mt_http *http, const char *key,
                                             double rate_per_s, double burst)
{
    struct mt_http_bucket *bucket = mt_map_get(http->shared, key);
    if (bucket || mt_http_bucket_new(http, rate_per_s, burst, &bucket) != MT_OK) {
        return bucket;
    }
    if (mt_map_put(http->shared, key, bucket) != MT_OK) {
        mt_http_bucket_free(bucket);
        return NULL;
    }
    bucket->shared = true;
    return bucket;
}

double mt_http_bucket_rate(const struct mt_http_bucket *bucket)
{
    return bucket->rate_per_s;
}

int64_t mt_http_bucket_blocked_ms(const struct mt_http_bucket *bucket)
{
    int64_t left_us = bucket->blocked_until_us - mt_clock_mono_us();
    return left_us > 0 ? (left_us + 999) / 1000 : 0;
}
