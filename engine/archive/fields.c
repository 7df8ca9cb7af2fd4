/* The fields that journal and manifest are made of: read strictly, written in one way. */
#include "archive/archive_int.h"

#include "codec/json.h"

#include <stdio.h>
#include <string.h>

bool mt_ar_take_hex(const struct mt_json *object, const char *key, char out[MT_SHA256_HEX])
{
    const char *s = mt_json_str(mt_json_get(object, key));

    if (!s || strlen(s) != MT_SHA256_HEX - 1 || strspn(s, "0123456789abcdef") != MT_SHA256_HEX - 1)
        return false;
    memcpy(out, s, MT_SHA256_HEX);
    return true;
}

bool mt_ar_take_u64(const struct mt_json *object, const char *key, uint64_t *out)
{
    return mt_json_u64(mt_json_get(object, key), out);
}

bool mt_ar_take_id(const struct mt_json *object, const char *key, char *out, size_t cap)
{
    const char *id = mt_json_str(mt_json_get(object, key));

    if (!id || strlen(id) >= cap)
        return false;
    snprintf(out, cap, "%s", strcmp(id, "0") ? id : "");
    return true;
}

bool mt_ar_take_i64(const struct mt_json *object, const char *key, int64_t *out)
{
    *out = mt_json_i64(mt_json_get(object, key), INT64_MIN);
    return *out != INT64_MIN;
}

bool mt_ar_take_counts(const struct mt_json *object, struct mt_ar_counts *out)
{
    return mt_ar_take_u64(object, "lines", &out->lines_n) &&
           mt_ar_take_u64(object, "messages", &out->messages_n) &&
           mt_ar_take_u64(object, "gaps", &out->gaps_n) &&
           mt_ar_take_id(object, "first_id", out->first_id, sizeof out->first_id) &&
           mt_ar_take_id(object, "last_id", out->last_id, sizeof out->last_id) &&
           mt_ar_take_i64(object, "first_ms", &out->first_ms) &&
           mt_ar_take_i64(object, "last_ms", &out->last_ms);
}

void mt_ar_put_u64(struct mt_jsonw *w, const char *key, uint64_t v)
{
    mt_jsonw_key(w, key);
    mt_jsonw_u64(w, v);
}

void mt_ar_put_id(struct mt_jsonw *w, const char *key, const char *id)
{
    mt_jsonw_key(w, key);
    mt_jsonw_str(w, *id ? id : "0");
}

void mt_ar_put_i64(struct mt_jsonw *w, const char *key, int64_t v)
{
    mt_jsonw_key(w, key);
    mt_jsonw_i64(w, v);
}

void mt_ar_put_str(struct mt_jsonw *w, const char *key, const char *v)
{
    mt_jsonw_key(w, key);
    mt_jsonw_str(w, v);
}

void mt_ar_put_counts(struct mt_jsonw *w, const struct mt_ar_counts *counts)
{
    mt_ar_put_u64(w, "lines", counts->lines_n);
    mt_ar_put_u64(w, "messages", counts->messages_n);
    mt_ar_put_u64(w, "gaps", counts->gaps_n);
    mt_ar_put_id(w, "first_id", counts->first_id);
    mt_ar_put_id(w, "last_id", counts->last_id);
    mt_ar_put_i64(w, "first_ms", counts->first_ms);
    mt_ar_put_i64(w, "last_ms", counts->last_ms);
}

void mt_ar_hex_of(const void *p, size_t len, char out[MT_SHA256_HEX])
{
    uint8_t sum[MT_SHA256_LEN];

    mt_sha256_of(p, len, sum);
    mt_hex(sum, sizeof sum, out);
}

void mt_ar_hex_peek(const struct mt_sha256 *hash, char out[MT_SHA256_HEX])
{
    uint8_t sum[MT_SHA256_LEN];

    mt_sha256_peek(hash, sum);
    mt_hex(sum, sizeof sum, out);
}

void mt_ar_hex_zero(char out[MT_SHA256_HEX])
{
    memset(out, '0', MT_SHA256_HEX - 1);
    out[MT_SHA256_HEX - 1] = '\0';
}
