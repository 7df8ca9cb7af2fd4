/* What the tests of engine/policy share: a scratch folder. */
#ifndef MT_TESTS_POLICY_H
#define MT_TESTS_POLICY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/folder.h"
#include "base/rc.h"

int test_audit(void);
int test_audit_old(void);
int test_hold(void);
int test_plan(void);
int test_gate(void);
int test_policy(void);
int test_policy_property(void);

/* cmocka fixtures: *state is the path of a fresh folder, removed at the end. */
int tests_begin(void **state);
int tests_end(void **state);
/* dir/name, in one of a few buffers. */
const char *tests_path(const char *dir, const char *name);
void tests_write(const char *path, const void *data, size_t len);
char *tests_read(const char *path, size_t *len); /* free with mt_mem_free */

/* A seed that is printed, so that a failure can be had again. */
uint64_t tests_seed(const char *what);

#endif
