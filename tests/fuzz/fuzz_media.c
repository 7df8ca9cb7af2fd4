/* The journal of an archive's attachments, and the paths of attachments in messages: any text is
 * read, cut at its end, or called damaged. The first byte of an input chooses: bit 0 a path; bit 1
 * the word PREV in a journal stands for the hash of the line before, and each line gets the check
 * sum that it should have, which no random change would ever hit. */
#include "archive/media_int.h"
#include "provider/easemob/files_int.h"

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

static void put_line(const char *text, size_t len, char last[MT_SHA256_HEX], struct mt_buf *out)
{
    size_t start = out->len;

    for (size_t i = 0; i < len; i++) {
        if (len - i >= 4 && !memcmp(text + i, "PREV", 4)) {
            check(!mt_buf_append_str(out, last));
            i += 3;
        } else {
            check(!mt_buf_append_char(out, text[i]));
        }
    }
    check(!mt_buf_appendf(
        out, MT_AR_MEDIA_CRC,
        (unsigned)mt_crc32(0, out->len ? out->data + start : "", out->len - start)));
    mt_ar_hex_of(out->data + start, out->len - start, last);
    check(!mt_buf_append_char(out, '\n'));
}

static void chain(const char *text, size_t len, struct mt_buf *out)
{
    char last[MT_SHA256_HEX];

    mt_ar_hex_zero(last);
    while (len) {
        const char *newline = memchr(text, '\n', len);
        size_t n = newline ? (size_t)(newline - text) : len;
        put_line(text, n, last, out);
        n += newline ? 1 : 0;
        text += n;
        len -= n;
    }
}

static bool check_message(void *ud, const char *key, void *value)
{
    const struct mt_ar_medium *medium = value;
    uint64_t *missing_n = ud;

    check(strchr(key, ' ') != NULL);
    check(medium->sha256[0] ? strlen(medium->sha256) == 64 && !medium->line
                            : medium->code[0] && medium->line);
    *missing_n += !medium->sha256[0];
    return true;
}

static void read_journal(const char *text, size_t len)
{
    struct mt_ar_media_index index;
    struct mt_fault fault = {0};
    uint64_t missing_n = 0;

    check(!mt_ar_media_index_init(&index));
    enum mt_rc rc = mt_ar_media_parse(text, len, &index, &fault);
    check(!rc || (rc == MT_ERR_DAMAGED && fault.message[0]));
    check(index.good_bytes <= len && (!index.good_bytes || text[index.good_bytes - 1] == '\n'));
    mt_map_each(index.messages, check_message, &missing_n);
    check(missing_n == index.missing_n);
    mt_ar_media_index_deinit(&index);
}

static void read_path(const char *text, size_t len)
{
    char *remote = strndup(text, len);
    char out[256];

    if (mt_em_file_path(remote, out, sizeof out)) {
        check(out[0] == '/' && strlen(out) < sizeof out && strstr(out, "/chatfiles/") != NULL);
        check(!strstr(out, "..") || !strstr(out, "/../"));
        check(!strpbrk(out, "?#\\ \r\n@"));
    }
    free(remote);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    struct mt_buf whole;

    if (!size || size > TEXT_MAX / 64)
        return 0;
    if (data[0] & 1) {
        read_path(text, size - 1);
    } else if (data[0] & 2) {
        mt_buf_init(&whole, TEXT_MAX);
        chain(text, size - 1, &whole);
        read_journal(whole.data ? whole.data : "", whole.len);
        mt_buf_deinit(&whole);
    } else {
        read_journal(text, size - 1);
    }
    return 0;
}
