/* The journal of an archive: any text is read or called damaged, and what is read keeps its rules.
 * Random bytes would all end at the checksum of a record, so the first byte of an input says
 * whether each of its lines is given its right checksum first. */
#include "archive/archive_int.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void with_checksums(const char *text, size_t len, struct mt_buf *out)
{
    while (len) {
        const char *newline = memchr(text, '\n', len);
        size_t n = newline ? (size_t)(newline - text) : len;
        check(!mt_buf_appendf(out, "%08x ", (unsigned)mt_crc32(0, text, n)));
        check(!mt_buf_append(out, text, n));
        if (newline)
            check(!mt_buf_append_char(out, '\n'));
        n += newline ? 1 : 0;
        text += n;
        len -= n;
    }
}

static bool check_conv(void *ud, const char *key, void *value)
{
    const struct mt_ar_conv *conv = value;

    (void)ud;
    check(!strcmp(conv->state.conversation, key));
    check(conv->segment >= 1 && conv->segment <= MT_AR_SEGMENT_MAX);
    check(conv->offset >= 0);
    check(strlen(conv->sha256) == MT_SHA256_HEX - 1);
    check(!strchr(conv->dir, '/') && conv->dir[0] != '.' && conv->dir[0]);
    return true;
}

/* Returns the records that count, or -1 for damage. */
static int64_t parse(const char *text, size_t len, struct mt_ar_journal *journal)
{
    struct mt_map *convs = mt_map_new();
    struct mt_fault fault = {0};

    check(convs && !mt_ar_journal_init(journal));
    enum mt_rc rc = mt_ar_journal_parse(text, len, journal, convs, &fault);
    check(!rc || (rc == MT_ERR_DAMAGED && fault.message[0]));
    check(journal->good_bytes >= 0 && journal->good_bytes <= (int64_t)len);
    check(!journal->clean || rc || journal->good_bytes == (int64_t)len);
    if (!rc)
        mt_map_each(convs, check_conv, NULL);
    mt_sha256_free(journal->hash);
    mt_map_free(convs, mt_ar_conv_free);
    return rc ? -1 : (int64_t)journal->records_n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mt_ar_journal journal, again;
    struct mt_buf text;

    if (!size || size > TEXT_MAX / 16)
        return 0;
    mt_buf_init(&text, TEXT_MAX);
    if (data[0] & 1)
        with_checksums((const char *)data + 1, size - 1, &text);
    else
        check(!mt_buf_append(&text, data + 1, size - 1));
    const char *bytes = text.data ? text.data : "";
    int64_t n = parse(bytes, text.len, &journal);
    if (n >= 0) { /* what was good of it is good alone */
        check(parse(bytes, (size_t)journal.good_bytes, &again) == n);
        check(again.good_bytes == journal.good_bytes);
    }
    mt_buf_deinit(&text);
    return 0;
}
