/* moontide sandbox: both clouds from memory on loopback, an independent reading of the protocols
 * with their real limits, so that scripts can be written and rehearsed without an account. */
#ifndef MT_SANDBOX_SANDBOX_H
#define MT_SANDBOX_SANDBOX_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct mt_loop;
struct mt_sandbox;

/* The command line's name for what goes into `second`. */
#define MT_SANDBOX_SECOND_OPTION "rongcloud"

struct mt_sandbox_options {
    const char *host; /* NULL: 127.0.0.1 */
    uint16_t port;    /* 0: any */
    const char *const
        *load; /* NULL-terminated files, lines as {"chat","conversation","from","ts","text"} */
    const char *owner;   /* NULL: "agent" */
    uint64_t generate_n; /* messages to make up, 0: none */
    const char *faults;  /* see docs/sandbox.md; NULL: none */
    const char *second;  /* what the second cloud announces and limits; NULL: as usual */
    const char *clouds;  /* "easemob" or "rongcloud": the data goes to that one alone; NULL: both */
    bool strict_users;
};

enum mt_rc mt_sandbox_new(struct mt_loop *loop, const struct mt_sandbox_options *options,
                          struct mt_sandbox **out, struct mt_fault *fault) MT_CHECKED;
void mt_sandbox_free(struct mt_sandbox *sandbox);
/* The ready line, one JSON object without newline; valid as long as the sandbox. */
const char *mt_sandbox_ready(const struct mt_sandbox *sandbox);
/* What the command line says about itself. */
const char *mt_sandbox_help(void);
uint16_t mt_sandbox_port(const struct mt_sandbox *sandbox);

#endif
