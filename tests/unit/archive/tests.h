/* What the tests of engine/archive share: a scratch folder and lines of messages. */
#ifndef MT_TESTS_ARCHIVE_H
#define MT_TESTS_ARCHIVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/folder.h"
#include "archive/archive.h"
#include "archive/verify.h"
#include "base/buf.h"

int test_open(void);
int test_commit(void);
int test_seal(void);
int test_recover(void);
int test_journal(void);
int test_verify(void);
int test_writer(void);
int test_torture(void);
int test_media(void);
int test_reader(void);

/* cmocka fixtures: *state is the path of a fresh folder, removed at the end. */
int tests_begin(void **state);
int tests_end(void **state);

#define TESTS_USER "model/org%23app/me"
extern const struct mt_archive_identity tests_identity;

struct mt_archive *tests_open(const char *dir, const struct mt_archive_options *options);
void tests_close(struct mt_archive *archive, bool clean);
/* The fault of an open that must fail. */
struct mt_fault tests_open_fails(const char *dir, const struct mt_archive_identity *identity);

/* Appends n message lines with ids from first on to out. */
void tests_lines(struct mt_buf *out, const char *conversation, uint64_t first, unsigned n);
/* A batch of n messages with ids from first on; the lines are put into lines. */
struct mt_archive_batch tests_batch(struct mt_buf *lines, const char *conversation, uint64_t first,
                                    unsigned n, bool complete);
void tests_commit(struct mt_archive *archive, const char *conversation, uint64_t first, unsigned n,
                  bool complete);
/* All ids of a conversation's message lines; free with free. */
uint64_t *tests_ids(struct mt_archive *archive, const char *conversation, size_t *n);

enum mt_verify_verdict tests_verdict(const char *dir, enum mt_verify_mode mode);
/* The first finding of the last tests_verdict. */
const char *tests_finding(void);

/* dir/TESTS_USER/name, in one of a few buffers. */
const char *tests_path(const char *dir, const char *name);
char *tests_read(const char *path, size_t *len); /* NULL if it is not there; free with free */
void tests_write(const char *path, const void *data, size_t len);
bool tests_exists(const char *path);
/* A hash over the names and contents of all files but LOCK. */
uint64_t tests_print(const char *dir);

#endif
