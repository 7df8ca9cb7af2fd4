/* Conversions: which format goes where. */
#include "archive/convert.h"

#include <string.h>

enum mt_rc mt_archive_convert(const char *dir, const char *format,
                              void (*progress)(void *ud, uint64_t done_n, uint64_t total_n), void *ud,
                              struct mt_convert_result *result, struct mt_fault *fault)
{
    (void)dir;
    (void)progress;
    (void)ud;
    memset(result, 0, sizeof *result);
    return mt_fault_set(fault, MT_ERR_UNSUPPORTED, "archive.convert", "%s is not made by this version", format);
}
