/* Reading the fault text, and deciding what happens to a request. */
#include "sandbox/faults_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/time.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPEC_MAX      ((size_t)4096)
#define DAY_MS        ((int64_t)24 * 60 * 60 * 1000)
#define CLOCK_MOST_MS (36500 * DAY_MS)

enum type { CHANCE, FLAG, COUNT, DURATION, TEXT, LATENCY, RATE, RETRY_AFTER, CLOCK };

struct key {
    const char *name;
    enum type type;
    size_t offset; /* in struct mt_sb_faults; for CHANCE: the trouble */
};

#define AT(member) offsetof(struct mt_sb_faults, member)

static const struct key KEYS[] = {
    {"p429", CHANCE, MT_SB_TROUBLE_429},
    {"p5xx", CHANCE, MT_SB_TROUBLE_5XX},
    {"cut", CHANCE, MT_SB_TROUBLE_CUT},
    {"truncate", CHANCE, MT_SB_TROUBLE_TRUNCATE},
    {"length", CHANCE, MT_SB_TROUBLE_LENGTH},
    {"slow", CHANCE, MT_SB_TROUBLE_SLOW},
    {"half_open", CHANCE, MT_SB_TROUBLE_HALF_OPEN},
    {"html", CHANCE, MT_SB_TROUBLE_HTML},
    {"error_json", CHANCE, MT_SB_TROUBLE_ERROR_JSON},
    {"redirect", CHANCE, MT_SB_TROUBLE_REDIRECT},
    {"stale_cursor", CHANCE, MT_SB_TROUBLE_STALE_CURSOR},
    {"repeat_page", CHANCE, MT_SB_TROUBLE_REPEAT_PAGE},
    {"null_page", CHANCE, MT_SB_TROUBLE_NULL_PAGE},
    {"out_of_order", CHANCE, MT_SB_TROUBLE_OUT_OF_ORDER},
    {"drop_message", CHANCE, MT_SB_TROUBLE_DROP_MESSAGE},
    {"duplicate", CHANCE, MT_SB_TROUBLE_DUPLICATE},
    {"list_stale", CHANCE, MT_SB_TROUBLE_LIST_STALE},
    {"list_null", CHANCE, MT_SB_TROUBLE_LIST_NULL},
    {"delete_lie", CHANCE, MT_SB_TROUBLE_DELETE_LIE},
    {"delete_half", CHANCE, MT_SB_TROUBLE_DELETE_HALF},
    {"delete_late", CHANCE, MT_SB_TROUBLE_DELETE_LATE},
    {"delete_lost", CHANCE, MT_SB_TROUBLE_DELETE_LOST},
    {"latency", LATENCY, 0},
    {"rate", RATE, 0},
    {"retry_after", RETRY_AFTER, 0},
    {"token_ttl", DURATION, AT(token_ttl_ms)},
    {"expire_after", COUNT, AT(expire_after)},
    {"after", COUNT, AT(after)},
    {"every", COUNT, AT(every)},
    {"times", COUNT, AT(times)},
    {"seed", COUNT, AT(seed)},
    {"only", TEXT, AT(only)},
    {"registered", TEXT, AT(registered)},
    {"sensitive", TEXT, AT(sensitive)},
    {"no_roaming", FLAG, AT(no_roaming)},
    {"no_conversation_list", FLAG, AT(no_conversation_list)},
    {"no_list_cursor_form", FLAG, AT(no_list_cursor_form)},
    {"no_list_page_form", FLAG, AT(no_list_page_form)},
    {"notice_twice", FLAG, AT(notice_twice)},
    {"assign_resource", FLAG, AT(assign_resource)},
    {"log", FLAG, AT(log)},
    {"list_cap", COUNT, AT(list_cap)},
    {"old_list_limit", COUNT, AT(old_list_limit)},
    {"old_list_age", DURATION, AT(old_list_age_ms)},
    {"page_default", COUNT, AT(page_default)},
    {"late", COUNT, AT(late)},
    {"user_channel", COUNT, AT(user_channel)},
    {"queue_single", COUNT, AT(queue_single)},
    {"queue_group", COUNT, AT(queue_group)},
    {"max_message", COUNT, AT(max_message)},
    {"max_file", COUNT, AT(max_file)},
    {"no_parts", FLAG, AT(no_parts)},
    {"improper", FLAG, AT(improper)},
    {"storage", FLAG, AT(storage)},
    {"recall_limit", DURATION, AT(recall_limit_ms)},
    {"span", DURATION, AT(span_ms)},
    {"clock", CLOCK, 0},
};

#define KEY_N (sizeof KEYS / sizeof KEYS[0])

uint64_t mt_sb_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

double mt_sb_random_unit(uint64_t *state)
{
    return (double)(mt_sb_random(state) >> 11) * 0x1p-53;
}

/* What a trouble can befall. */
enum place { ANYWHERE, HISTORY, LIST, DELETION, PLACES };

static enum place place_of(int trouble)
{
    if (trouble < MT_SB_TROUBLE_STALE_CURSOR)
        return ANYWHERE;
    if (trouble < MT_SB_TROUBLE_LIST_STALE)
        return HISTORY;
    return trouble < MT_SB_TROUBLE_DELETE_LIE ? LIST : DELETION;
}

static struct mt_sb_faults defaults(void)
{
    return (struct mt_sb_faults){
        .retry_after = "1",
        .token_ttl_ms = 60 * DAY_MS,
        .seed = 1,
        .list_cap = 500,
        .old_list_limit = 10,
        .old_list_age_ms = 7 * DAY_MS,
        .page_default = 20,
        .late = 2,
        .user_channel = 5,
        .queue_single = 500,
        .queue_group = 200,
        .max_message = 5120,
        .max_file = UINT64_C(10) * 1024 * 1024,
        .recall_limit_ms = 120000,
        .span_ms = 5 * DAY_MS,
    };
}

static bool parse_double(const char *text, double low, double high, double *out)
{
    char *end = NULL;
    errno = 0;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !isfinite(v) || v < low || v > high)
        return false;
    *out = v;
    return true;
}

static bool parse_flag(const char *text, bool *out)
{
    *out = text[0] == '\0' || strcmp(text, "1") == 0 || strcmp(text, "on") == 0 ||
           strcmp(text, "true") == 0;
    return *out || strcmp(text, "0") == 0 || strcmp(text, "off") == 0 || strcmp(text, "false") == 0;
}

/* "50ms" or "50ms..80ms" */
static bool parse_latency(struct mt_sb_faults *faults, char *text)
{
    char *dots = strstr(text, "..");
    if (dots != NULL)
        *dots = '\0';
    if (mt_duration_parse(text, &faults->latency_ms, NULL) != MT_OK)
        return false;
    faults->latency_max_ms = faults->latency_ms;
    return dots == NULL || (mt_duration_parse(dots + 2, &faults->latency_max_ms, NULL) == MT_OK &&
                            faults->latency_max_ms >= faults->latency_ms);
}

/* "20/s" or "20" */
static bool parse_rate(struct mt_sb_faults *faults, char *text)
{
    size_t len = strlen(text);
    if (len > 2 && strcmp(text + len - 2, "/s") == 0)
        text[len - 2] = '\0';
    return parse_double(text, 0.01, 1e6, &faults->rate);
}

/* Seconds, "none" (no header) or "garbage" (a header that is no number). */
static bool parse_retry_after(struct mt_sb_faults *faults, const char *text)
{
    uint64_t seconds = 0;
    const char *value = text;
    if (strcmp(text, "none") == 0)
        value = "";
    else if (strcmp(text, "garbage") == 0)
        value = "soon, perhaps";
    else if (!mt_str_u64(text, &seconds) || strlen(text) >= sizeof faults->retry_after)
        return false;
    memcpy(faults->retry_after, value, strlen(value) + 1);
    return true;
}

/* "1h" ahead, "-1h" behind, "none". */
static bool parse_clock(struct mt_sb_faults *faults, const char *text)
{
    bool behind = text[0] == '-';

    faults->no_clock = strcmp(text, "none") == 0;
    if (faults->no_clock)
        return true;
    if (mt_duration_parse(text + behind, &faults->clock_ms, NULL) != MT_OK ||
        faults->clock_ms > CLOCK_MOST_MS)
        return false;
    if (behind)
        faults->clock_ms = -faults->clock_ms;
    return true;
}

static bool set_key(struct mt_sb_faults *faults, const struct key *key, char *value)
{
    char *base = (char *)faults;
    switch (key->type) {
    case CHANCE:
        return parse_double(value[0] == '\0' ? "1" : value, 0, 1, &faults->chance[key->offset]);
    case FLAG: {
        bool on = false;
        bool ok = parse_flag(value, &on);
        memcpy(base + key->offset, &on, sizeof on);
        return ok;
    }
    case COUNT: {
        uint64_t n = 0;
        bool ok = mt_str_u64(value, &n);
        memcpy(base + key->offset, &n, sizeof n);
        return ok;
    }
    case DURATION: {
        int64_t ms = 0;
        bool ok = mt_duration_parse(value, &ms, NULL) == MT_OK && ms > 0;
        memcpy(base + key->offset, &ms, sizeof ms);
        return ok;
    }
    case TEXT: {
        char *old = NULL;
        char *copy = value[0] == '\0' ? NULL : mt_mem_strdup(value);
        memcpy(&old, base + key->offset, sizeof old);
        mt_mem_free(old);
        memcpy(base + key->offset, &copy, sizeof copy);
        return copy != NULL;
    }
    case LATENCY:
        return parse_latency(faults, value);
    case RATE:
        return parse_rate(faults, value);
    case RETRY_AFTER:
        return parse_retry_after(faults, value);
    case CLOCK:
        return parse_clock(faults, value);
    }
    return false;
}

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < KEY_N; i++) {
        if (strcmp(KEYS[i].name, name) == 0)
            return &KEYS[i];
    }
    return NULL;
}

static enum mt_rc refuse_key(const char *name, struct mt_fault *fault)
{
    const char *names[KEY_N] = {0};
    for (size_t i = 0; i < KEY_N; i++)
        names[i] = KEYS[i].name;
    const char *near = mt_str_nearest(name, names, KEY_N);
    return mt_fault_set(fault, MT_ERR_INVALID, "sandbox.fault_unknown",
                        "unknown fault \"%.40s\"%s%s%s; docs/sandbox.md lists them", name,
                        near == NULL ? "" : ", did you mean \"", near == NULL ? "" : near,
                        near == NULL ? "" : "\"");
}

/* text is cut up on the way. */
static enum mt_rc parse_keys(struct mt_sb_faults *faults, char *text, struct mt_fault *fault)
{
    char *rest = text;
    while (rest != NULL && *rest != '\0') {
        char *item = rest;
        rest = strchr(rest, ',');
        if (rest != NULL)
            *rest++ = '\0';
        while (*item == ' ' || *item == '\n')
            item++;
        for (size_t len = strlen(item); len > 0 && strchr(" \r\n", item[len - 1]) != NULL; len--)
            item[len - 1] = '\0';
        if (*item == '\0')
            continue;
        char *value = strchr(item, '=');
        if (value == NULL)
            value = item + strlen(item);
        else
            *value++ = '\0';
        const struct key *key = find_key(item);
        if (key == NULL)
            return refuse_key(item, fault);
        if (!set_key(faults, key, value))
            return mt_fault_set(fault, MT_ERR_INVALID, "sandbox.fault_value",
                                "fault %s cannot take the value \"%.60s\"", key->name, value);
    }
    return MT_OK;
}

static bool only(const bool asked[PLACES], enum place place)
{
    for (int i = 0; i < PLACES; i++) {
        if (asked[i] != (i == (int)place))
            return false;
    }
    return true;
}

enum mt_rc mt_sb_faults_parse(struct mt_sb_faults *faults, const char *spec, struct mt_fault *fault)
{
    struct mt_sb_faults fresh = defaults();
    enum mt_rc rc = MT_OK;
    char *text = NULL;
    if (strlen(spec) > SPEC_MAX)
        return mt_fault_set(fault, MT_ERR_LIMIT, "sandbox.fault_long",
                            "the fault text is longer than %zu bytes", SPEC_MAX);
    text = mt_mem_strdup(spec);
    fresh.spec = mt_mem_strdup(spec);
    if (text == NULL || fresh.spec == NULL) {
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "memory is short");
        goto out;
    }
    rc = parse_keys(&fresh, text, fault);
    if (rc != MT_OK)
        goto out;
    bool asked[PLACES] = {false};
    for (int i = 1; i < MT_SB_TROUBLES; i++)
        asked[place_of(i)] |= fresh.chance[i] > 0;
    fresh.pages_only = only(asked, HISTORY);
    fresh.lists_only = only(asked, LIST);
    fresh.deletes_only = only(asked, DELETION);
    fresh.random = fresh.seed;
    fresh.bucket = fresh.rate < 1 ? 1 : fresh.rate;
    mt_sb_faults_deinit(faults);
    *faults = fresh;
    fresh = (struct mt_sb_faults){0};
out:
    mt_sb_faults_deinit(&fresh);
    mt_mem_free(text);
    return rc;
}

void mt_sb_faults_deinit(struct mt_sb_faults *faults)
{
    mt_mem_free(faults->spec);
    mt_mem_free(faults->only);
    mt_mem_free(faults->registered);
    mt_mem_free(faults->sensitive);
    *faults = (struct mt_sb_faults){0};
}

/* A bucket that holds one second's worth. */
static bool over_rate(struct mt_sb_faults *faults, int64_t now_us)
{
    double full = faults->rate < 1 ? 1 : faults->rate;
    if (faults->bucket_us != 0)
        faults->bucket += faults->rate * (double)(now_us - faults->bucket_us) / 1e6;
    faults->bucket_us = now_us;
    if (faults->bucket > full)
        faults->bucket = full;
    if (faults->bucket < 1)
        return true;
    faults->bucket -= 1;
    return false;
}

static bool scheduled(struct mt_sb_faults *faults)
{
    faults->seen++;
    if (faults->seen <= faults->after)
        return false;
    if (faults->every > 0 && (faults->seen - faults->after) % faults->every != 0)
        return false;
    return faults->times == 0 || faults->hits < faults->times;
}

/* Frames of the other cloud are known by their topic: qryPMsg, qryGMsg, ...; and pullMsg. */
static bool rongcloud_history(const char *path)
{
    return mt_str_starts(path, "/rongcloud/") && mt_str_ends(path, "Msg") &&
           (strstr(path, "/qry") != NULL || strstr(path, "/pull") != NULL);
}

/* Deletions by id, not those up to a time (…/time) nor of everything (…/delete/all). */
static bool deletion(const char *path)
{
    bool easemob = strstr(path, "/sdk/message/roaming/") != NULL && !mt_str_ends(path, "/time") &&
                   !mt_str_ends(path, "/all");
    return easemob || strcmp(path, "/rongcloud/delMsg") == 0 ||
           strcmp(path, "/rongcloud/delUgMsg") == 0;
}

/* Whether the trouble can befall what the path asks for. */
static bool befalls(const bool asked[PLACES], enum place place)
{
    return place == ANYWHERE || asked[place];
}

void mt_sb_faults_pick(struct mt_sb_faults *faults, const char *path, int64_t now_us,
                       struct mt_sb_pick *pick)
{
    *pick = (struct mt_sb_pick){0};
    const bool asked[PLACES] = {
        [HISTORY] = mt_str_ends(path, "/messageroaming") || rongcloud_history(path),
        [LIST] = mt_str_ends(path, "/user_channels/list") || mt_str_ends(path, "/qryRelationR"),
        [DELETION] = deletion(path),
    };
    if (faults->only != NULL && strstr(path, faults->only) == NULL)
        return;
    pick->delay_ms = faults->latency_ms;
    if (faults->latency_max_ms > faults->latency_ms)
        pick->delay_ms += (int64_t)(mt_sb_random(&faults->random) %
                                    (uint64_t)(faults->latency_max_ms - faults->latency_ms + 1));
    if (faults->rate > 0 && over_rate(faults, now_us)) {
        pick->trouble = MT_SB_TROUBLE_429;
        return;
    }
    if ((faults->pages_only && !asked[HISTORY]) || (faults->lists_only && !asked[LIST]) ||
        (faults->deletes_only && !asked[DELETION]) || !scheduled(faults))
        return;
    for (int i = 1; i < MT_SB_TROUBLES; i++) {
        if (faults->chance[i] <= 0 || !befalls(asked, place_of(i)))
            continue;
        if (mt_sb_random_unit(&faults->random) < faults->chance[i]) {
            pick->trouble = (enum mt_sb_trouble)i;
            faults->hits++;
            return;
        }
    }
}

int64_t mt_sb_faults_clock_ms(const struct mt_sb_faults *faults)
{
    int64_t ms = mt_clock_wall_ms() + faults->clock_ms;

    return faults->no_clock || ms < 0 ? 0 : ms;
}

void mt_sb_date(int64_t ms, char out[MT_SB_DATE_LEN])
{
    static const char days[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t day = ms / DAY_MS;
    int second = (int)(ms % DAY_MS / 1000);
    int year = 0;
    int month = 1;
    int of_month = 1;

    out[0] = '\0';
    if (ms <= 0)
        return;
    mt_date_of_days(day, &year, &month, &of_month);
    (void)snprintf(out, MT_SB_DATE_LEN, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT", days[day % 7],
                   of_month, months[month - 1], year, second / 3600, second / 60 % 60, second % 60);
}
