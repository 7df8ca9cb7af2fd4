/* The one result convention: a function that can fail returns enum mt_rc, 0 is success, and may
 * fill a struct mt_fault with the detail. No errno, no negative ints and no NULL-means-error across
 * rooms. */
#ifndef MT_BASE_RC_H
#define MT_BASE_RC_H

#include <stdbool.h>
#include <stdint.h>

#define MT_CHECKED           __attribute__((warn_unused_result))
#define MT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum mt_rc {
    MT_OK = 0,
    MT_ERR_NOMEM,       /* an allocation failed */
    MT_ERR_INVALID,     /* the caller's or the user's input is wrong */
    MT_ERR_LIMIT,       /* a stated cap was reached */
    MT_ERR_IO,          /* a file operation failed */
    MT_ERR_NOT_FOUND,   /* the named thing does not exist */
    MT_ERR_EXISTS,      /* the named thing exists already and must not */
    MT_ERR_BUSY,        /* somebody else holds it */
    MT_ERR_STATE,       /* not in this state: closed, cancelled before, already started */
    MT_ERR_DENIED,      /* the cloud or a grant refuses it */
    MT_ERR_AUTH,        /* token or password not accepted */
    MT_ERR_UNSUPPORTED, /* this cloud cannot, or the paid feature is not opened */
    MT_ERR_NETWORK,     /* no connection, connection lost, TLS failure */
    MT_ERR_TIMEOUT,     /* a deadline passed */
    MT_ERR_RATE,        /* the cloud says: too many requests, after all retries */
    MT_ERR_REMOTE,      /* the cloud failed (5xx) after all retries */
    MT_ERR_PROTOCOL,    /* what came is not what the protocol allows */
    MT_ERR_DAMAGED,     /* stored data does not verify */
    MT_ERR_CANCELLED,   /* cancelled by us */
};

#define MT_FAULT_CODE_MAX    48
#define MT_FAULT_MESSAGE_MAX 256

/* Detail of a failure. `code` is stable and dotted ("auth.token_rejected", "history.stuck");
 * `message` is one line for people that says what is wrong and what to do, and never holds a
 * secret. */
struct mt_fault {
    enum mt_rc kind;
    char code[MT_FAULT_CODE_MAX];
    int provider_code;      /* the SDK's error type of the provider, 0 if none */
    int http_status;        /* 0 if none */
    int64_t retry_after_ms; /* 0 if none */
    bool retryable;         /* the same call may succeed later */
    char message[MT_FAULT_MESSAGE_MAX];
};

/* Fills fault (which may be NULL) and returns kind, so that `rc = mt_fault_set(…); goto out;` reads
 * well. Clears the other members; retryable is set for NETWORK, TIMEOUT, RATE and REMOTE. Message
 * is cut if too long (never inside a UTF-8 sequence). */
enum mt_rc mt_fault_set(struct mt_fault *fault, enum mt_rc kind, const char *code, const char *fmt,
                        ...) MT_PRINTF(4, 5);

/* Puts "prefix: " in front of the message. */
void mt_fault_prefix(struct mt_fault *fault, const char *fmt, ...) MT_PRINTF(2, 3);

/* A short constant name of a kind, e.g. "network". */
const char *mt_rc_name(enum mt_rc rc);

#endif
