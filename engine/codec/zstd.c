/* zstd over descriptors, by streaming: memory is bounded whatever the file's size. Every frame
 * carries a checksum. */
#include "codec/zstd.h"

#include "base/fs.h"
#include "base/mem.h"

#include <zstd.h>

#define MAX_LEVEL 19
/* Level 19 uses windows of 8 MiB; a frame that asks for more than 16 is none of ours. */
#define MAX_WINDOW_LOG 24

static enum mt_rc no_memory(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_NOMEM, "zstd.nomem", "not enough memory for zstd");
}

/* Gives one input buffer to the compressor and writes what comes out. */
static enum mt_rc compress_step(ZSTD_CCtx *ctx, ZSTD_inBuffer *in, ZSTD_EndDirective mode,
                                void *out, size_t out_size, int fd_out, struct mt_fault *fault)
{
    size_t left = 0;
    do {
        ZSTD_outBuffer to = {out, out_size, 0};
        left = ZSTD_compressStream2(ctx, &to, in, mode);
        if (ZSTD_isError(left)) {
            return mt_fault_set(fault, MT_ERR_NOMEM, "zstd.compress", "zstd cannot compress: %s",
                                ZSTD_getErrorName(left));
        }
        int err = to.pos > 0 ? mt_fs_write(fd_out, out, to.pos) : 0;
        if (err != 0) {
            return mt_fs_fault(fault, err, "write", "the compressed file");
        }
    } while (mode == ZSTD_e_end ? left > 0 : in->pos < in->size);
    return MT_OK;
}

enum mt_rc mt_zstd_compress_fd(int fd_in, int fd_out, int level, struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;
    size_t in_size = ZSTD_CStreamInSize();
    size_t out_size = ZSTD_CStreamOutSize();
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    char *in = mt_mem_alloc(in_size);
    char *out = mt_mem_alloc(out_size);
    size_t got = 0;
    if (!ctx || !in || !out) {
        rc = no_memory(fault);
        goto out;
    }
    if (level < 1 || level > MAX_LEVEL ||
        ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1))) {
        rc = mt_fault_set(fault, MT_ERR_INVALID, "zstd.level", "zstd has no level %d", level);
        goto out;
    }
    do {
        int err = mt_fs_read(fd_in, in, in_size, &got);
        if (err != 0) {
            rc = mt_fs_fault(fault, err, "read", "the file to compress");
            goto out;
        }
        ZSTD_inBuffer from = {in, got, 0};
        rc = compress_step(ctx, &from, got > 0 ? ZSTD_e_continue : ZSTD_e_end, out, out_size,
                           fd_out, fault);
    } while (rc == MT_OK && got > 0);
out:
    mt_mem_free(out);
    mt_mem_free(in);
    ZSTD_freeCCtx(ctx);
    return rc;
}

struct decompression {
    ZSTD_DCtx *ctx;
    char *out;
    size_t out_size;
    int64_t left_bytes; /* of max_bytes */
    bool in_frame;
    enum mt_rc (*sink)(void *ud, const void *p, size_t len);
    void *ud;
};

static enum mt_rc damaged(struct mt_fault *fault, const char *why)
{
    return mt_fault_set(fault, MT_ERR_DAMAGED, "zstd.damaged", "the compressed data is damaged: %s",
                        why);
}

static enum mt_rc decompress_step(struct decompression *d, ZSTD_inBuffer *in,
                                  struct mt_fault *fault)
{
    bool full = false; /* more may be waiting inside zstd although the input is used up */
    while (in->pos < in->size || full) {
        ZSTD_outBuffer to = {d->out, d->out_size, 0};
        size_t hint = ZSTD_decompressStream(d->ctx, &to, in);
        if (ZSTD_isError(hint)) {
            return damaged(fault, ZSTD_getErrorName(hint));
        }
        d->in_frame = hint != 0;
        full = to.pos == to.size && d->in_frame;
        if ((uint64_t)to.pos > (uint64_t)d->left_bytes) {
            return mt_fault_set(fault, MT_ERR_LIMIT, "zstd.too_large",
                                "the decompressed data is larger than its stated size");
        }
        d->left_bytes -= (int64_t)to.pos;
        enum mt_rc rc = to.pos > 0 ? d->sink(d->ud, d->out, to.pos) : MT_OK;
        if (rc != MT_OK) {
            return rc; /* the sink's own business */
        }
    }
    return MT_OK;
}

enum mt_rc mt_zstd_decompress_fd(int fd_in, int64_t max_bytes,
                                 enum mt_rc (*sink)(void *ud, const void *p, size_t len), void *ud,
                                 struct mt_fault *fault)
{
    enum mt_rc rc = MT_OK;
    size_t in_size = ZSTD_DStreamInSize();
    char *in = mt_mem_alloc(in_size);
    struct decompression d = {
        .ctx = ZSTD_createDCtx(),
        .out_size = ZSTD_DStreamOutSize(),
        .left_bytes = max_bytes > 0 ? max_bytes : 0,
        .in_frame = true, /* an empty file is no frame */
        .sink = sink,
        .ud = ud,
    };
    d.out = mt_mem_alloc(d.out_size);
    size_t got = 0;
    if (!d.ctx || !in || !d.out ||
        ZSTD_isError(ZSTD_DCtx_setParameter(d.ctx, ZSTD_d_windowLogMax, MAX_WINDOW_LOG))) {
        rc = no_memory(fault);
        goto out;
    }
    do {
        int err = mt_fs_read(fd_in, in, in_size, &got);
        if (err != 0) {
            rc = mt_fs_fault(fault, err, "read", "the compressed file");
            goto out;
        }
        ZSTD_inBuffer from = {in, got, 0};
        rc = decompress_step(&d, &from, fault);
    } while (rc == MT_OK && got > 0);
    if (rc == MT_OK && d.in_frame) {
        rc = damaged(fault, "it ends before its frame does");
    }
out:
    mt_mem_free(d.out);
    mt_mem_free(in);
    ZSTD_freeDCtx(d.ctx);
    return rc;
}

/* ---------------------------------------------------------------- read as it is needed */

struct mt_zstd_reader {
    int fd;
    ZSTD_DCtx *ctx;
    char *in;
    size_t in_size;
    ZSTD_inBuffer from;
    bool in_frame; /* an empty file is no frame */
    bool ended;
};

enum mt_rc mt_zstd_reader_new(int fd_in, struct mt_zstd_reader **out, struct mt_fault *fault)
{
    struct mt_zstd_reader *reader = mt_mem_calloc(1, sizeof *reader);

    *out = NULL;
    if (!reader)
        return no_memory(fault);
    reader->fd = fd_in;
    reader->in_frame = true;
    reader->in_size = ZSTD_DStreamInSize();
    reader->in = mt_mem_alloc(reader->in_size);
    reader->ctx = ZSTD_createDCtx();
    if (!reader->in || !reader->ctx ||
        ZSTD_isError(ZSTD_DCtx_setParameter(reader->ctx, ZSTD_d_windowLogMax, MAX_WINDOW_LOG))) {
        mt_zstd_reader_free(reader);
        return no_memory(fault);
    }
    *out = reader;
    return MT_OK;
}

static enum mt_rc refill(struct mt_zstd_reader *reader, struct mt_fault *fault)
{
    size_t got = 0;
    int err = mt_fs_read(reader->fd, reader->in, reader->in_size, &got);

    if (err)
        return mt_fs_fault(fault, err, "read", "the compressed file");
    reader->from = (ZSTD_inBuffer){reader->in, got, 0};
    reader->ended = !got;
    return got || !reader->in_frame ? MT_OK : damaged(fault, "it ends before its frame does");
}

enum mt_rc mt_zstd_reader_read(struct mt_zstd_reader *reader, void *p, size_t len, size_t *got,
                               struct mt_fault *fault)
{
    ZSTD_outBuffer to = {p, len, 0};
    enum mt_rc rc = MT_OK;

    while (!rc && to.pos < to.size && !reader->ended) {
        size_t before = to.pos;
        size_t at = reader->from.pos;
        size_t hint = ZSTD_decompressStream(reader->ctx, &to, &reader->from);
        if (ZSTD_isError(hint))
            rc = damaged(fault, ZSTD_getErrorName(hint));
        else if (!hint || reader->from.pos > at || to.pos > before)
            reader->in_frame = hint != 0; /* without anything to read it asks for another frame */
        if (!rc && to.pos < to.size && reader->from.pos == reader->from.size)
            rc = refill(reader, fault);
    }
    *got = to.pos;
    return rc;
}

void mt_zstd_reader_free(struct mt_zstd_reader *reader)
{
    if (!reader)
        return;
    ZSTD_freeDCtx(reader->ctx);
    mt_mem_free(reader->in);
    mt_mem_free(reader);
}
