/* Tokens, passwords and app secrets. The bytes are wiped when freed, and the log writer knows every
 * living secret: it replaces them, and their URL-encoded, base64, hexadecimal and JSON-escaped
 * forms, wherever they appear. */
#ifndef MT_BASE_SECRET_H
#define MT_BASE_SECRET_H

#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>

struct mt_secret;

struct mt_secret *mt_secret_new(const char *bytes, size_t len); /* NULL when memory is short */
void mt_secret_free(struct mt_secret *secret);
const char *mt_secret_bytes(
    const struct mt_secret *secret); /* NUL-terminated; do not copy into a fault or a log */
size_t mt_secret_len(const struct mt_secret *secret);

/* The value of an environment variable; *out NULL when it is not set, or empty. It is taken out of
 * the environment, so that no program that is started has it and /proc does not show it, and is
 * known here from then on. For one thread at a time: no other may be changing the environment. */
enum mt_rc mt_secret_env(const char *name, struct mt_secret **out) MT_CHECKED;

/* Replaces every living secret in text (in place, never longer) by asterisks. Secrets shorter than
 * 4 bytes are not searched for. Returns whether something was replaced. */
bool mt_secret_redact(char *text, size_t len);

/* text as it may be shown: at most cap - 1 bytes of it, cut only after secrets were replaced,
 * because half of a secret tells half of it. For what others say, where a fault or a log line has
 * room for a part. Returns out. */
const char *mt_secret_shown(const char *text, char *out, size_t cap);

#endif
