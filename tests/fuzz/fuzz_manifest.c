/* The manifest of an archive, and account.json: any text is read or called damaged. The first byte
 * of an input chooses: bit 0 account.json; bit 1 the word PREV in a manifest stands for the hash of
 * the line before, which no random change would ever hit. */
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

static size_t line_of(const char *text, size_t len)
{
    const char *newline = memchr(text, '\n', len);
    return newline ? (size_t)(newline - text) : len;
}

/* Puts each line with its PREV replaced; head tells what a journal would say of the result. */
static void chain(const char *text, size_t len, bool replace, struct mt_buf *out,
                  struct mt_ar_manifest_head *head)
{
    memset(head, 0, sizeof *head);
    mt_ar_hex_zero(head->sha256);
    while (len) {
        size_t n = line_of(text, len);
        size_t start = out->len;
        for (size_t i = 0; i < n; i++) {
            if (replace && n - i >= 4 && !memcmp(text + i, "PREV", 4)) {
                check(!mt_buf_append_str(out, head->sha256));
                i += 3;
            } else {
                check(!mt_buf_append_char(out, text[i]));
            }
        }
        if (n < len) {
            head->seq++;
            mt_ar_hex_of(out->len ? out->data + start : "", out->len - start, head->sha256);
            check(!mt_buf_append_char(out, '\n'));
            n++;
        }
        text += n;
        len -= n;
    }
    head->bytes = (int64_t)out->len;
}

static void add_conv(struct mt_map *convs, const char *name, uint32_t segment)
{
    struct mt_ar_conv *conv = mt_ar_conv_new(name);

    check(conv && !mt_map_put(convs, name, conv));
    conv->segment = segment;
}

static bool check_conv(void *ud, const char *key, void *value)
{
    const struct mt_ar_conv *conv = value;
    uint32_t segment = 0;

    (void)ud;
    (void)key;
    for (const struct mt_ar_sealed *s = conv->sealed; s; s = s->next) {
        check(s->segment == ++segment);
        check(s->bytes > 0 && s->zst_bytes > 0);
        check(strlen(s->sha256) == MT_SHA256_HEX - 1 && strlen(s->zst_sha256) == MT_SHA256_HEX - 1);
    }
    check(segment + 1 == conv->segment);
    return true;
}

static void read_manifest(const char *text, size_t len, bool replace)
{
    struct mt_map *convs = mt_map_new();
    struct mt_ar_manifest_head head;
    struct mt_fault fault = {0};
    struct mt_buf whole;

    check(convs != NULL);
    add_conv(convs, "group:1", 3);
    add_conv(convs, "single:a", 2);
    mt_buf_init(&whole, TEXT_MAX);
    chain(text, len, replace, &whole, &head);
    enum mt_rc rc =
        mt_ar_manifest_parse(whole.data ? whole.data : "", whole.len, &head, convs, &fault);
    check(!rc || (rc == MT_ERR_DAMAGED && fault.message[0]));
    if (!rc)
        mt_map_each(convs, check_conv, NULL);
    mt_buf_deinit(&whole);
    mt_map_free(convs, mt_ar_conv_free);
}

static void read_account(const char *text, size_t len)
{
    struct mt_ar_account account;
    enum mt_rc rc = mt_ar_account_parse(text, len, &account);

    check(!rc || rc == MT_ERR_DAMAGED);
    check(strlen(account.provider) < sizeof account.provider &&
          strlen(account.user) < sizeof account.user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || size > TEXT_MAX / 64)
        return 0;
    if (data[0] & 1)
        read_account((const char *)data + 1, size - 1);
    else
        read_manifest((const char *)data + 1, size - 1, data[0] & 2);
    return 0;
}
