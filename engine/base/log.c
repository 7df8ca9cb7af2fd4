/* The log writer. A line is formatted, redacted, escaped and written in that order, on the stack:
 * logging works when memory is short. */
#include "base/log.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 4096
/* Formatted beyond what is shown, so that a secret crossing the cut is seen whole and redacted
 * before the cut. */
#define FORMAT_MAX (2 * MESSAGE_MAX)
#define KEY_MAX    32
#define VALUE_MAX  256
/* Every byte may become \u00XX. */
#define LINE_MAX_BYTES (6 * (MESSAGE_MAX + MT_LOG_FIELDS * VALUE_MAX) + MT_LOG_FIELDS * 64 + 256)

static _Atomic int level_shown = MT_LOG_INFO;
static atomic_bool as_json;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*line_sink)(void *ud, enum mt_log_level level, const char *line);
static void *line_sink_ud;

static const char *level_name(enum mt_log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug", "trace"};
    return (size_t)level < sizeof names / sizeof names[0] ? names[level] : "unknown";
}

void mt_log_level_set(enum mt_log_level level)
{
    atomic_store_explicit(&level_shown, (int)level, memory_order_relaxed);
}

enum mt_log_level mt_log_level_get(void)
{
    return (enum mt_log_level)atomic_load_explicit(&level_shown, memory_order_relaxed);
}

void mt_log_format_set(bool json)
{
    atomic_store_explicit(&as_json, json, memory_order_relaxed);
}

bool mt_log_format_get(void)
{
    return atomic_load_explicit(&as_json, memory_order_relaxed);
}

void mt_log_sink_set(void (*sink)(void *ud, enum mt_log_level level, const char *line), void *ud)
{
    pthread_mutex_lock(&lock);
    line_sink = sink;
    line_sink_ud = ud;
    pthread_mutex_unlock(&lock);
}

struct line {
    size_t len;
    char text[LINE_MAX_BYTES];
};

static void put(struct line *line, const char *s, size_t len)
{
    if (len > sizeof line->text - 2 - line->len) { /* room for the newline and the NUL */
        len = sizeof line->text - 2 - line->len;
    }
    memcpy(line->text + line->len, s, len);
    line->len += len;
}

static void put_str(struct line *line, const char *s)
{
    put(line, s, strlen(s));
}

/* One byte that must not reach a terminal or a JSON string as it is. */
static void put_escaped(struct line *line, unsigned char c, bool json)
{
    char code[8];
    if (json && c >= 0x80) {
        snprintf(code, sizeof code, "\\ufffd"); /* not UTF-8 */
    } else if (c == '\n') {
        snprintf(code, sizeof code, "\\n");
    } else if (json && (c == '"' || c == '\\')) {
        snprintf(code, sizeof code, "\\%c", c);
    } else {
        snprintf(code, sizeof code, json ? "\\u%04x" : "\\x%02x", c);
    }
    put_str(line, code);
}

static void put_text(struct line *line, const char *s, size_t len, bool json)
{
    for (size_t at = 0; at < len;) {
        unsigned char c = (unsigned char)s[at];
        size_t step = mt_str_utf8_step(s + at, len - at);
        bool control =
            c < 0x20 || c == 0x7F || (c == 0xC2 && step == 2 && (unsigned char)s[at + 1] < 0xA0);
        if (step > 0 && !control && !(json && (c == '"' || c == '\\'))) {
            put(line, s + at, step);
            at += step;
        } else if (control && step == 2) { /* U+0080 … U+009F: terminals obey some of them */
            put_str(line, json ? "\\u00" : "\\u");
            char code[4];
            snprintf(code, sizeof code, "%02x", (unsigned char)s[at + 1]);
            put_str(line, code);
            at += step;
        } else {
            put_escaped(line, c, json);
            at++;
        }
    }
}

static void put_time(struct line *line)
{
    int64_t ms = mt_clock_wall_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm = {0};
    char date[48] = "";
    char text[64];
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, sizeof text, "%s.%03dZ", date, (int)(ms % 1000 < 0 ? 0 : ms % 1000));
    put_str(line, text);
}

static void write_line(const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; /* nobody to tell */
        }
        p += n;
        len -= (size_t)n;
    }
}

static void emit(enum mt_log_level level, struct line *line)
{
    line->text[line->len] = '\0';
    pthread_mutex_lock(&lock);
    if (line_sink) {
        line_sink(line_sink_ud, level, line->text);
    } else {
        line->text[line->len] = '\n';
        write_line(line->text, line->len + 1);
    }
    pthread_mutex_unlock(&lock);
}

/* Not inside a character. */
static size_t cut_at(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) {
        len--;
    }
    return len;
}

/* A secret that crosses the cut is seen whole: it is looked for before. */
static void put_field(struct line *line, const struct mt_log_field *field, bool first)
{
    char value[VALUE_MAX + MESSAGE_MAX];
    int n = snprintf(value, sizeof value, "%s", field->value);
    size_t len = n < 0 ? 0 : strlen(value);
    mt_secret_redact(value, len);
    if (len > VALUE_MAX) {
        len = cut_at(value, VALUE_MAX);
    }
    put_str(line, first ? "\"" : ",\"");
    put_text(line, field->key, strnlen(field->key, KEY_MAX), true);
    put_str(line, "\":\"");
    put_text(line, value, len, true);
    put_str(line, "\"");
}

static void put_fields(struct line *line, const struct mt_log_field *fields, size_t n)
{
    bool first = true;
    put_str(line, ",\"fields\":{");
    for (size_t i = 0; i < n && i < MT_LOG_FIELDS; i++) {
        if (fields[i].value && *fields[i].value) {
            put_field(line, &fields[i], first);
            first = false;
        }
    }
    put_str(line, "}");
}

MT_PRINTF(5, 0)
static void write_log(enum mt_log_level level, const char *area, const struct mt_log_field *fields,
                      size_t fields_n, const char *fmt, va_list args)
{
    char text[FORMAT_MAX];
    int saved_errno = errno;
    int n = vsnprintf(text, sizeof text, fmt, args);
    if (n < 0) {
        text[0] = '\0';
    }
    size_t len = strlen(text);
    mt_secret_redact(text, len);
    bool cut = len > MESSAGE_MAX;
    if (cut) {
        len = cut_at(text, MESSAGE_MAX);
    }
    bool json = mt_log_format_get();
    struct line line;
    line.len = 0;
    if (json) {
        put_str(&line, "{\"ts\":\"");
        put_time(&line);
        put_str(&line, "\",\"level\":\"");
        put_str(&line, level_name(level));
        put_str(&line, "\",\"room\":\"");
        put_text(&line, area, strlen(area), true);
        put_str(&line, "\",\"message\":\"");
    } else {
        put_str(&line, level_name(level));
        put_str(&line, " ");
        put_text(&line, area, strlen(area), false);
        put_str(&line, ": ");
    }
    put_text(&line, text, len, json);
    put_str(&line, cut ? "…" : "");
    put_str(&line, json ? "\"" : "");
    if (json) {
        put_fields(&line, fields, fields_n);
        put_str(&line, "}");
    }
    emit(level, &line);
    errno = saved_errno;
}

void mt_log(enum mt_log_level level, const char *area, const char *fmt, ...)
{
    va_list args;

    if (level > mt_log_level_get()) {
        return;
    }
    va_start(args, fmt);
    write_log(level, area, NULL, 0, fmt, args);
    va_end(args);
}

void mt_log_with(enum mt_log_level level, const char *area, const struct mt_log_field *fields,
                 size_t n, const char *fmt, ...)
{
    va_list args;

    if (level > mt_log_level_get()) {
        return;
    }
    va_start(args, fmt);
    write_log(level, area, fields, n, fmt, args);
    va_end(args);
}
