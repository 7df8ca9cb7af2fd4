/* zstd over files, streaming, for the work pool. */
#ifndef MT_CODEC_ZSTD_H
#define MT_CODEC_ZSTD_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

/* Compresses everything from fd_in to fd_out (level 1…19). */
enum mt_rc mt_zstd_compress_fd(int fd_in, int fd_out, int level, struct mt_fault *fault) MT_CHECKED;
/* Calls sink(ud, bytes, len) with the decompressed stream; a sink that returns not MT_OK stops it
 * with its own result, and fault is left to the sink. A frame that is
 * cut or damaged is MT_ERR_DAMAGED; more than max_bytes is MT_ERR_LIMIT. */
enum mt_rc mt_zstd_decompress_fd(int fd_in, int64_t max_bytes,
                                 enum mt_rc (*sink)(void *ud, const void *p, size_t len), void *ud,
                                 struct mt_fault *fault) MT_CHECKED;

/* The same, read as it is needed: who reads says how much it takes, so that what was made to grow
 * without end costs no more than that. The descriptor stays the caller's. */
struct mt_zstd_reader;
enum mt_rc mt_zstd_reader_new(int fd_in, struct mt_zstd_reader **out,
                              struct mt_fault *fault) MT_CHECKED;
/* *got less than len: the end. DAMAGED "zstd.damaged". */
enum mt_rc mt_zstd_reader_read(struct mt_zstd_reader *reader, void *p, size_t len, size_t *got,
                               struct mt_fault *fault) MT_CHECKED;
void mt_zstd_reader_free(struct mt_zstd_reader *reader); /* NULL is fine */

#endif
