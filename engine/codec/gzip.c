/* gzip and zlib by zlib, whose memory comes through the seam. */
#include "codec/gzip.h"

#include "base/mem.h"

#include <string.h>

#include <zlib.h>

#define STEP_BYTES  ((size_t)16 * 1024)
#define WINDOW_BITS 15
#define DETECT      32 /* zlib: gzip or zlib, by the head */
#define AS_GZIP     16 /* zlib: write gzip */

static void *zip_alloc(void *ud, unsigned n, unsigned size)
{
    (void)ud;
    return mt_mem_calloc(n, size);
}

static void zip_free(void *ud, void *p)
{
    (void)ud;
    mt_mem_free(p);
}

static z_stream stream_of(const void *p, size_t len)
{
    return (z_stream){.zalloc = zip_alloc,
                      .zfree = zip_free,
                      .next_in = (Bytef *)(uintptr_t)p,
                      .avail_in = (uInt)len};
}

static enum mt_rc no_memory(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_NOMEM, "gzip.nomem", "not enough memory for gzip");
}

static enum mt_rc damaged(struct mt_fault *fault, const char *why)
{
    return mt_fault_set(fault, MT_ERR_DAMAGED, "gzip.damaged", "the compressed data is damaged: %s",
                        why ? why : "it is cut off");
}

static enum mt_rc too_large(struct mt_fault *fault, size_t max_bytes)
{
    return mt_fault_set(fault, MT_ERR_LIMIT, "gzip.too_large",
                        "the compressed data holds more than %zu bytes", max_bytes);
}

static enum mt_rc no_room(const struct mt_buf *out, struct mt_fault *fault)
{
    return out->failed == MT_ERR_LIMIT ? too_large(fault, out->max_bytes) : no_memory(fault);
}

/* One byte more than is allowed may be asked for: only so can it be told whether the stream ends
 * where it must. */
static enum mt_rc inflate_all(z_stream *z, size_t max_bytes, struct mt_buf *out,
                              struct mt_fault *fault)
{
    char step[STEP_BYTES];
    size_t got = 0;

    for (;;) {
        z->next_out = (Bytef *)step;
        z->avail_out = (uInt)sizeof step;
        int state = inflate(z, Z_NO_FLUSH);
        size_t n = sizeof step - z->avail_out;
        if (n > max_bytes - got)
            return too_large(fault, max_bytes);
        got += n;
        if (n > 0 && mt_buf_append(out, step, n) != MT_OK)
            return no_room(out, fault);
        if (state == Z_STREAM_END)
            return z->avail_in == 0 ? MT_OK : damaged(fault, "something follows its end");
        if (state == Z_MEM_ERROR)
            return no_memory(fault);
        if (state != Z_OK || (n == 0 && z->avail_in == 0))
            return damaged(fault, state == Z_BUF_ERROR ? NULL : z->msg);
    }
}

enum mt_rc mt_gzip_inflate(const void *p, size_t len, size_t max_bytes, struct mt_buf *out,
                           struct mt_fault *fault)
{
    z_stream z = stream_of(p, len);
    size_t before = out->len;
    int state = Z_OK;
    enum mt_rc rc = MT_OK;

    if (len > UINT32_MAX)
        return too_large(fault, UINT32_MAX);
    state = inflateInit2(&z, WINDOW_BITS + DETECT);
    if (state != Z_OK)
        return no_memory(fault);
    rc = inflate_all(&z, max_bytes, out, fault);
    inflateEnd(&z);
    if (rc != MT_OK && out->failed == MT_OK && out->len > before) {
        out->len = before;
        out->data[before] = '\0';
    }
    return rc;
}

enum mt_rc mt_gzip_deflate(const void *p, size_t len, struct mt_buf *out, struct mt_fault *fault)
{
    z_stream z = stream_of(p, len);
    uLong bound = 0;
    enum mt_rc rc = MT_OK;

    if (len > UINT32_MAX)
        return too_large(fault, UINT32_MAX);
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS + AS_GZIP, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return no_memory(fault);
    bound = deflateBound(&z, (uLong)len);
    if (bound > UINT32_MAX)
        rc = too_large(fault, UINT32_MAX);
    else if (mt_buf_reserve(out, bound) != MT_OK)
        rc = no_room(out, fault);
    if (rc == MT_OK) {
        z.next_out = (Bytef *)out->data + out->len;
        z.avail_out = (uInt)bound;
        if (deflate(&z, Z_FINISH) != Z_STREAM_END)
            rc = no_memory(fault);
        else
            out->len += bound - z.avail_out;
        out->data[out->len] = '\0';
    }
    deflateEnd(&z);
    return rc;
}
