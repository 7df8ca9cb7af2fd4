/* Paths inside an archive, and the words for what is wrong with one. */
#include "archive/archive_int.h"

#include <stdarg.h>
#include <stdio.h>

void mt_ar_path(const struct mt_archive *archive, char *out, const char *fmt, ...)
{
    va_list args;
    int n = snprintf(out, MT_AR_PATH_MAX, "%s/", archive->base);

    va_start(args, fmt);
    if (n > 0 && n < MT_AR_PATH_MAX)
        vsnprintf(out + n, MT_AR_PATH_MAX - (size_t)n, fmt, args);
    va_end(args);
}

void mt_ar_segment_path(const struct mt_archive *archive, const struct mt_ar_conv *conv,
                        uint32_t segment, const char *suffix, char *out)
{
    mt_ar_path(archive, out, "conv/%s/%06u.jsonl%s", conv->dir, (unsigned)segment, suffix);
}

enum mt_rc mt_ar_damaged(struct mt_fault *fault, const char *file, const char *what)
{
    return mt_fault_set(
        fault, MT_ERR_DAMAGED, "archive.damaged",
        "the archive is damaged: %s: %s. Run `moontide verify` on it, and restore it from a copy",
        file, what);
}

enum mt_rc mt_ar_break(struct mt_archive *archive, const struct mt_fault *fault)
{
    if (!archive->broken) {
        archive->broken = true;
        archive->broken_fault = *fault;
    }
    return fault->kind;
}
