/* CSV, HTML and SQLite made from an archive, never instead of it. Work-pool or tool code; reads
 * without the lock. */
#ifndef MT_ARCHIVE_CONVERT_H
#define MT_ARCHIVE_CONVERT_H

#include "base/rc.h"

#include <stdint.h>

struct mt_convert_result {
    uint64_t conversations_n, messages_n;
    char path[512]; /* what a person opens: DIR/csv/messages.csv, DIR/html/index.html,
                       DIR/messages.sqlite */
};

/* format: "csv", "html" or "sqlite". Replaces an earlier result only when the new one is whole. */
enum mt_rc mt_archive_convert(const char *dir, const char *format,
                              void (*progress)(void *ud, uint64_t done_n, uint64_t total_n),
                              void *ud, struct mt_convert_result *result,
                              struct mt_fault *fault) MT_CHECKED;

#endif
