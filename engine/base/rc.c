/* Faults: filling, prefixing and naming them. */
#include "base/rc.h"

#include "base/secret.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Long enough that a secret which crosses the cut is still seen whole, and redacted, before the
 * cut. */
#define FORMAT_MAX 4096

/* Copies at most MT_FAULT_MESSAGE_MAX - 1 bytes, not ending inside a UTF-8 sequence, on one line.
 */
static void copy_message(char out[MT_FAULT_MESSAGE_MAX], char *text)
{
    size_t len = strlen(text);
    mt_secret_redact(text, len);
    if (len >= MT_FAULT_MESSAGE_MAX) {
        len = MT_FAULT_MESSAGE_MAX - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) {
            len--;
        }
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        out[i] = c < 0x20 || c == 0x7F ? ' ' : (char)c;
    }
    out[len] = '\0';
}

static bool is_retryable(enum mt_rc kind)
{
    return kind == MT_ERR_NETWORK || kind == MT_ERR_TIMEOUT || kind == MT_ERR_RATE ||
           kind == MT_ERR_REMOTE;
}

enum mt_rc mt_fault_set(struct mt_fault *fault, enum mt_rc kind, const char *code, const char *fmt,
                        ...)
{
    if (!fault) {
        return kind;
    }
    char text[FORMAT_MAX];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0) {
        text[0] = '\0';
    }
    va_end(args);
    struct mt_fault made = {.kind = kind, .retryable = is_retryable(kind)};
    snprintf(made.code, sizeof made.code, "%s", code); /* code may be the fault's own */
    copy_message(made.message, text);
    *fault = made;
    return kind;
}

void mt_fault_prefix(struct mt_fault *fault, const char *fmt, ...)
{
    if (!fault) {
        return;
    }
    char text[FORMAT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used >= sizeof text) {
        used = sizeof text - 1;
    }
    snprintf(text + used, sizeof text - used, ": %s", fault->message);
    copy_message(fault->message, text);
}

const char *mt_rc_name(enum mt_rc rc)
{
    static const char *const names[] = {
        [MT_OK] = "ok",
        [MT_ERR_NOMEM] = "nomem",
        [MT_ERR_INVALID] = "invalid",
        [MT_ERR_LIMIT] = "limit",
        [MT_ERR_IO] = "io",
        [MT_ERR_NOT_FOUND] = "not_found",
        [MT_ERR_EXISTS] = "exists",
        [MT_ERR_BUSY] = "busy",
        [MT_ERR_STATE] = "state",
        [MT_ERR_DENIED] = "denied",
        [MT_ERR_AUTH] = "auth",
        [MT_ERR_UNSUPPORTED] = "unsupported",
        [MT_ERR_NETWORK] = "network",
        [MT_ERR_TIMEOUT] = "timeout",
        [MT_ERR_RATE] = "rate",
        [MT_ERR_REMOTE] = "remote",
        [MT_ERR_PROTOCOL] = "protocol",
        [MT_ERR_DAMAGED] = "damaged",
        [MT_ERR_CANCELLED] = "cancelled",
    };
    size_t i = (size_t)rc;
    return i < sizeof names / sizeof names[0] && names[i] ? names[i] : "unknown";
}
