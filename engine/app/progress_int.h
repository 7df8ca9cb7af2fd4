/* The progress line: on a terminal one line that is rewritten, otherwise nothing until the end. */
#ifndef MT_APP_PROGRESS_INT_H
#define MT_APP_PROGRESS_INT_H

#include <stdbool.h>
#include <stdint.h>

struct mt_progress {
    bool terminal;
    bool shown;
    int64_t started_ms;
    int64_t drawn_ms;
    int columns;
};

void mt_progress_init(struct mt_progress *progress, bool quiet);
/* done and total in unit; total < 0: unknown. extra: more text, may be NULL. */
void mt_progress_show(struct mt_progress *progress, const char *label, int64_t done, int64_t total,
                      const char *unit, const char *extra);
void mt_progress_clear(struct mt_progress *progress);

#endif
