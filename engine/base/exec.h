/* The one place where another program is started: what it prints is wanted, such as a secret that a
 * password store keeps. */
#ifndef MT_BASE_EXEC_H
#define MT_BASE_EXEC_H

#include "base/rc.h"

#include <stddef.h>

#define MT_EXEC_ERRORS_MAX 1024

struct mt_exec_result {
    size_t out_len;                  /* of what it wrote to standard output */
    char errors[MT_EXEC_ERRORS_MAX]; /* the beginning of what it wrote to standard error */
    int status;                      /* its exit status; 128 and the signal that ended it */
};

/* Runs argv (found by PATH, no shell) and waits until it has ended: its standard output is in out
 * then, NUL-terminated. Its input is empty; it inherits no descriptor but those three, and the
 * environment as it is now. Whatever it started is ended with it when it takes longer than
 * timeout_ms, or says more than cap - 1 bytes. Whatever its status is, MT_OK. Faults: NOT_FOUND
 * "exec.none", DENIED and IO "exec.start", TIMEOUT "exec.timeout", LIMIT "exec.size"; out holds
 * nothing then. */
enum mt_rc mt_exec(const char *const *argv, int64_t timeout_ms, char *out, size_t cap,
                   struct mt_exec_result *result, struct mt_fault *fault) MT_CHECKED;

#endif
