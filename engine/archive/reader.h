/* An archive to read: opened without the writer's lock and without changing anything, so that it
 * can be read while an export writes it. What is given is what was committed when it was opened. */
#ifndef MT_ARCHIVE_READER_H
#define MT_ARCHIVE_READER_H

#include "archive/archive.h"
#include "base/buf.h"

struct mt_archive_reader;

/* Work-pool code, one thread at a time. Faults: NOT_FOUND "archive.none", INVALID "archive.format",
 * DAMAGED "archive.damaged". */
enum mt_rc mt_archive_reader_open(const char *dir, struct mt_archive_reader **out,
                                  struct mt_fault *fault) MT_CHECKED;
void mt_archive_reader_free(struct mt_archive_reader *reader);

/* Whose archive it is; lives as long as the reader. */
struct mt_archive_identity mt_archive_reader_identity(const struct mt_archive_reader *reader);
/* As mt_archive_each. */
void mt_archive_reader_each(const struct mt_archive_reader *reader,
                            bool (*each)(void *ud, const struct mt_archive_state *state), void *ud);

/* The lines of a conversation's segment number at (0, 1, …), each with its newline, in place of
 * what out holds. *more: there are further segments. Memory is that of one segment. A conversation
 * that there is none of has no lines. Work-pool code. */
enum mt_rc mt_archive_reader_segment(struct mt_archive_reader *reader, const char *conversation,
                                     size_t at, struct mt_buf *out, bool *more,
                                     struct mt_fault *fault) MT_CHECKED;

#endif
