/* The file of a zone (TZif, RFC 8536): a list of changes, and a rule for what comes after. */
#include "codec/zone_int.h"

#include "base/fs.h"
#include "base/mem.h"

#include <string.h>

#define ZONES_DIR    "/usr/share/zoneinfo"
#define FILE_MAX     ((size_t)256 << 10)
#define NAME_MAX_LEN 64
#define HEADER_LEN   44
#define CHANGES_MAX  4096u
#define KINDS_MAX    256u
#define RULE_MAX     128
#define AHEAD_MAX_S  (26 * 3600)           /* RFC 8536 3.2 */
#define FIRST_S      INT64_C(-62135596800) /* 0001-01-01 */
#define LAST_S       INT64_C(253402300799) /* the end of 9999 */

struct change {
    int64_t at_s;
    int32_t to_s; /* ahead of UTC from then on */
};

struct mt_zone {
    struct change *changes; /* each changes something */
    size_t n;
    int32_t first_s; /* ahead of UTC in front of all changes */
    bool has_rule;   /* for what comes after them */
    struct mt_zone_rule rule;
};

/* ---------------------------------------------------------------- reading */

struct header {
    uint32_t isut_n, isstd_n, leap_n, changes_n, kinds_n, chars_n;
    char version;
};

/* What is left to be read. */
struct input {
    const unsigned char *at;
    size_t left;
};

static uint32_t u32_at(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t time_at(const unsigned char *p, size_t width)
{
    uint64_t high = u32_at(p);
    return width == 4 ? (int32_t)high : (int64_t)(high << 32 | u32_at(p + 4));
}

static bool skip(struct input *in, size_t len)
{
    if (in->left < len)
        return false;
    in->at += len;
    in->left -= len;
    return true;
}

static bool take_header(struct input *in, struct header *out)
{
    const unsigned char *p = in->at;

    if (!skip(in, HEADER_LEN) || memcmp(p, "TZif", 4) != 0)
        return false;
    out->version = (char)p[4];
    out->isut_n = u32_at(p + 20);
    out->isstd_n = u32_at(p + 24);
    out->leap_n = u32_at(p + 28);
    out->changes_n = u32_at(p + 32);
    out->kinds_n = u32_at(p + 36);
    out->chars_n = u32_at(p + 40);
    return out->changes_n <= CHANGES_MAX && out->kinds_n && out->kinds_n <= KINDS_MAX &&
           out->chars_n <= FILE_MAX && out->leap_n <= CHANGES_MAX && out->isut_n <= out->kinds_n &&
           out->isstd_n <= out->kinds_n;
}

static size_t block_len(const struct header *h, size_t width)
{
    return h->changes_n * (width + 1) + (size_t)h->kinds_n * 6 + h->chars_n +
           h->leap_n * (width + 4) + h->isstd_n + h->isut_n;
}

static bool take_changes(struct mt_zone *zone, const struct header *h, const unsigned char *times,
                         size_t width)
{
    const unsigned char *kinds = times + h->changes_n * width;
    const unsigned char *table = kinds + h->changes_n;
    int64_t before_s = INT64_MIN;

    for (size_t i = 0; i < h->kinds_n; i++) {
        int32_t ahead_s = (int32_t)u32_at(table + i * 6);
        if (ahead_s < -AHEAD_MAX_S || ahead_s > AHEAD_MAX_S)
            return false;
    }
    zone->first_s = (int32_t)u32_at(table);
    int32_t now_s = zone->first_s;
    for (size_t i = 0; i < h->changes_n; i++) {
        int64_t at_s = time_at(times + i * width, width);
        if (kinds[i] >= h->kinds_n || (i && at_s <= before_s))
            return false;
        before_s = at_s;
        int32_t to_s = (int32_t)u32_at(table + (size_t)kinds[i] * 6);
        if (to_s == now_s)
            continue;                          /* another name, or what is called summer time */
        if (at_s < FIRST_S || at_s > LAST_S) { /* "since ever" */
            if (at_s < FIRST_S)
                zone->first_s = now_s = to_s;
            continue;
        }
        zone->changes[zone->n++] = (struct change){at_s, to_s};
        now_s = to_s;
    }
    return true;
}

/* Between two newlines; nothing there: as after the last change for ever. */
static bool take_rule(struct mt_zone *zone, struct input *in)
{
    char text[RULE_MAX];

    if (in->left < 2 || in->at[0] != '\n')
        return false;
    const unsigned char *end = memchr(in->at + 1, '\n', in->left - 1);
    size_t len = end ? (size_t)(end - in->at) - 1 : RULE_MAX;
    if (len >= RULE_MAX)
        return false;
    memcpy(text, in->at + 1, len);
    text[len] = '\0';
    zone->has_rule = len > 0;
    return !len || (strlen(text) == len && mt_zone_rule_parse(text, &zone->rule));
}

static enum mt_rc read_file(struct mt_zone *zone, const void *data, size_t len)
{
    struct input in = {data, len};
    struct header h;
    size_t width = 4;

    if (!take_header(&in, &h))
        return MT_ERR_DAMAGED;
    if (h.version) { /* the old form first, for who knows no other */
        if (!skip(&in, block_len(&h, 4)) || !take_header(&in, &h))
            return MT_ERR_DAMAGED;
        width = 8;
    }
    const unsigned char *times = in.at;
    if (h.leap_n || !skip(&in, block_len(&h, width))) /* a zone of "right/" counts leap seconds */
        return MT_ERR_DAMAGED;
    zone->changes = mt_mem_calloc(h.changes_n + 1, sizeof *zone->changes);
    if (!zone->changes)
        return MT_ERR_NOMEM;
    bool good = take_changes(zone, &h, times, width) && (!h.version || take_rule(zone, &in));
    return good ? MT_OK : MT_ERR_DAMAGED;
}

enum mt_rc mt_zone_parse(const char *name, const void *data, size_t len, struct mt_zone **out,
                         struct mt_fault *fault)
{
    struct mt_zone *zone = mt_mem_calloc(1, sizeof *zone);
    enum mt_rc rc = !zone ? MT_ERR_NOMEM : len > FILE_MAX ? MT_ERR_DAMAGED : MT_OK;

    *out = NULL;
    if (!rc)
        rc = read_file(zone, data, len);
    if (!rc) {
        *out = zone;
        return MT_OK;
    }
    mt_zone_free(zone);
    if (rc == MT_ERR_NOMEM)
        return mt_fault_set(fault, rc, "memory", "out of memory");
    return mt_fault_set(fault, rc, "zone.damaged",
                        "the system's file of the time zone '%.64s' cannot be read: install the "
                        "package tzdata anew",
                        name);
}

void mt_zone_free(struct mt_zone *zone)
{
    if (zone)
        mt_mem_free(zone->changes);
    mt_mem_free(zone);
}

/* Letters, digits, + - _ in parts with / between: no name leads out of the folder. */
static bool good_name(const char *name)
{
    char before = '/';
    size_t len = 0;

    for (; name[len]; before = name[len++]) {
        char c = name[len];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || c == '+';
        if ((!plain && c != '/') || (c == '/' && before == '/') || len >= NAME_MAX_LEN)
            return false;
    }
    return len && before != '/';
}

static enum mt_rc unknown(const char *name, struct mt_fault *fault)
{
    struct mt_fs_stat st;

    if (mt_fs_stat(ZONES_DIR, &st))
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "zone.files",
                            "this system has no time zones (" ZONES_DIR
                            "): install the package tzdata, or use UTC");
    return mt_fault_set(fault, MT_ERR_INVALID, "zone.unknown",
                        "there is no time zone '%.64s': it is written as Asia/Shanghai or UTC",
                        name);
}

enum mt_rc mt_zone_load(const char *name, struct mt_zone **out, struct mt_fault *fault)
{
    char path[sizeof ZONES_DIR + NAME_MAX_LEN + 1] = ZONES_DIR "/";
    char *data = NULL;
    size_t len = 0;

    *out = NULL;
    if (!strcmp(name, "UTC")) {
        *out = mt_mem_calloc(1, sizeof **out);
        return *out ? MT_OK : mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    }
    if (!good_name(name))
        return unknown(name, fault);
    memcpy(path + sizeof ZONES_DIR, name, strlen(name) + 1);
    int err = mt_fs_read_all(path, FILE_MAX, &data, &len);
    if (err)
        return unknown(name, fault);
    enum mt_rc rc = len >= 4 && !memcmp(data, "TZif", 4)
                        ? mt_zone_parse(name, data, len, out, fault)
                        : unknown(name, fault);
    mt_mem_free(data);
    return rc;
}

/* ---------------------------------------------------------------- asking */

void mt_zone_span(const struct mt_zone *zone, int64_t time_s, struct mt_zone_span *out)
{
    size_t low = 0;
    size_t high = zone->n;

    time_s = time_s < FIRST_S ? FIRST_S : time_s > LAST_S ? LAST_S : time_s;
    while (low < high) { /* the first change that is later */
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at_s <= time_s)
            low = middle + 1;
        else
            high = middle;
    }
    out->start_s = low ? zone->changes[low - 1].at_s : INT64_MIN;
    out->end_s = low < zone->n ? zone->changes[low].at_s : INT64_MAX;
    out->ahead_s = low ? zone->changes[low - 1].to_s : zone->first_s;
    out->before_s = !low ? out->ahead_s : low > 1 ? zone->changes[low - 2].to_s : zone->first_s;
    if (low < zone->n || !zone->has_rule)
        return;
    struct mt_zone_span by_rule;
    mt_zone_rule_span(&zone->rule, time_s, &by_rule);
    /* The change that the rule sees last may be the file's own, or lie in front of it. */
    if (by_rule.start_s > out->start_s) {
        struct mt_zone_span before;
        mt_zone_rule_span(&zone->rule, by_rule.start_s - 1, &before);
        if (before.start_s <= out->start_s)
            by_rule.before_s = out->ahead_s;
        out->start_s = by_rule.start_s;
        out->before_s = by_rule.before_s;
    }
    out->ahead_s = by_rule.ahead_s;
    out->end_s = by_rule.end_s;
}
