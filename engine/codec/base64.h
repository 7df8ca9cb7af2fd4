/* Base64, standard alphabet with padding when writing; reading also takes the URL-safe alphabet,
 * missing padding and refuses everything else. */
#ifndef MT_CODEC_BASE64_H
#define MT_CODEC_BASE64_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#define MT_BASE64_ENCODED_LEN(n) (((n) + 2) / 3 * 4)
#define MT_BASE64_DECODED_MAX(n) ((n) / 4 * 3 + 3)

enum mt_rc mt_base64_encode(struct mt_buf *out, const void *p, size_t len);
/* out must hold MT_BASE64_DECODED_MAX(len) bytes. MT_ERR_PROTOCOL if text is not base64. */
enum mt_rc mt_base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len) MT_CHECKED;

#endif
