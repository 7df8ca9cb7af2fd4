/* The progress line on standard error: what, how much, how fast, how long still. At most ten times
 * a second. */
#include "app/progress_int.h"

#include "base/clock.h"
#include "base/str.h"
#include "codec/time.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_MS 100

void mt_progress_init(struct mt_progress *progress, bool quiet)
{
    struct winsize size;

    memset(progress, 0, sizeof *progress);
    progress->terminal = !quiet && isatty(STDERR_FILENO);
    progress->started_ms = mt_clock_mono_ms();
    progress->columns = 80;
    if (progress->terminal && !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 20)
        progress->columns = size.ws_col;
}

void mt_progress_show(struct mt_progress *progress, const char *label, int64_t done, int64_t total,
                      const char *unit, const char *extra)
{
    char line[512];
    char left[MT_TIME_RFC3339_LEN] = "";
    int64_t now_ms = mt_clock_mono_ms();
    int64_t spent_ms = now_ms - progress->started_ms;

    if (!progress->terminal || (progress->shown && now_ms - progress->drawn_ms < REDRAW_MS))
        return;
    if (total > 0 && done > 0 && done < total)
        mt_duration_format(spent_ms * (total - done) / done, left);
    int n = total >= 0 ? snprintf(line, sizeof line, "%s  %lld of %lld %s", label, (long long)done,
                                  (long long)total, unit)
                       : snprintf(line, sizeof line, "%s  %lld %s", label, (long long)done, unit);
    if (extra && n > 0 && (size_t)n < sizeof line)
        n += snprintf(line + n, sizeof line - (size_t)n, "  %s", extra);
    if (left[0] && n > 0 && (size_t)n < sizeof line)
        snprintf(line + n, sizeof line - (size_t)n, "  %s left", left);
    size_t cut = mt_str_utf8_cut(line, strlen(line), (size_t)progress->columns - 1);
    fprintf(stderr, "\r\033[K%.*s", (int)cut, line);
    fflush(stderr);
    progress->shown = true;
    progress->drawn_ms = now_ms;
}

void mt_progress_clear(struct mt_progress *progress)
{
    if (!progress->shown)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress->shown = false;
}
