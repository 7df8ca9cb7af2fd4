/* Policies that people write down: Lua in a bare environment, or a policy's canonical text, which
 * is the same. */
#ifndef MT_SCRIPT_POLICY_FILE_H
#define MT_SCRIPT_POLICY_FILE_H

#include "base/rc.h"

#include <stddef.h>

struct mt_policy;

#define MT_POLICY_FILE_MAX ((size_t)256 << 10)

/* The conditions are globals; there is nothing else but ipairs. The text is an expression, or a
 * chunk that returns a policy. It runs in a state of its own, with little memory and little time.
 * name: for messages. Faults: INVALID "policy.syntax", "policy.file", "policy.unknown",
 * "policy.unused", "policy.logic" (Lua's and, or, not) and those of the conditions, LIMIT
 * "policy.size" and "policy.endless". */
enum mt_rc mt_policy_parse(const char *text, size_t len, const char *name, struct mt_policy **out,
                           struct mt_fault *fault) MT_CHECKED;

#endif
