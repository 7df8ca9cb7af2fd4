/* Paths inside an archive, what a file name means, and the words for what is wrong. */
#include "archive/archive_int.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* The number of NNNNNN.jsonl followed by one of our suffixes, or 0. */
static uint32_t segment_of(const char *name, const char **suffix)
{
    uint32_t n = 0;

    for (size_t i = 0; i < 6; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        n = n * 10 + (uint32_t)(name[i] - '0');
    }
    if (!mt_str_starts(name + 6, ".jsonl"))
        return 0;
    *suffix = name + 6 + strlen(".jsonl");
    return !**suffix || !strcmp(*suffix, ".zst") || !strcmp(*suffix, ".zst.tmp") ? n : 0;
}

enum mt_ar_file mt_ar_file_of(const struct mt_ar_conv *conv, const char *name)
{
    const char *suffix = "";
    uint32_t n = segment_of(name, &suffix);
    uint32_t open = conv ? conv->segment : 1;

    if (!n)
        return MT_AR_FILE_FOREIGN;
    if (conv && !*suffix && n == open)
        return MT_AR_FILE_OURS;
    if (conv && !strcmp(suffix, ".zst") && n < open)
        return MT_AR_FILE_OURS;
    /* The first commit of a conversation; a seal before its record; the removal after it. */
    if (!conv)
        return n == 1 && !*suffix ? MT_AR_FILE_LEFT : MT_AR_FILE_IMPOSSIBLE;
    if ((*suffix && n == open && conv->offset) || (!*suffix && n + 1 == open))
        return MT_AR_FILE_LEFT;
    return MT_AR_FILE_IMPOSSIBLE;
}

static bool put_folder(void *ud, const char *key, void *value)
{
    struct mt_map *map = *(struct mt_map **)ud;

    (void)key;
    if (mt_map_put(map, ((struct mt_ar_conv *)value)->dir, value)) {
        mt_map_free(map, NULL);
        *(struct mt_map **)ud = NULL;
        return false;
    }
    return true;
}

struct mt_map *mt_ar_folders(const struct mt_archive *archive)
{
    struct mt_map *map = mt_map_new();

    if (map)
        mt_map_each(archive->convs, put_folder, &map);
    return map;
}

enum mt_rc mt_ar_damaged(struct mt_fault *fault, const char *file, const char *what)
{
    return mt_fault_set(
        fault, MT_ERR_DAMAGED, "archive.damaged",
        "the archive is damaged: %s: %s. Run `moontide verify` on it, and restore it from a copy",
        file, what);
}

enum mt_rc mt_ar_nomem(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

enum mt_rc mt_ar_break(struct mt_archive *archive, const struct mt_fault *fault)
{
    if (!archive->broken) {
        archive->broken = true;
        archive->broken_fault = *fault;
    }
    return fault->kind;
}
