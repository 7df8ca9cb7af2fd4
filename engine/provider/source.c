/* What is uploaded: see source.h. */
#include "provider/source.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

bool mt_source_init(struct mt_source *source, const struct mt_upload *what)
{
    const char *slash = what->path != NULL ? strrchr(what->path, '/') : NULL;
    const char *name = what->filename != NULL ? what->filename
                       : slash != NULL        ? slash + 1
                       : what->path != NULL   ? what->path
                                              : "file";

    memset(source, 0, sizeof *source);
    source->filename = mt_mem_strdup(name);
    if (what->path != NULL) {
        source->path = mt_mem_strdup(what->path);
        return source->filename != NULL && source->path != NULL;
    }
    source->is_file = true;
    source->data = mt_mem_alloc(what->len + 1);
    source->size_bytes = (int64_t)what->len;
    if (source->data != NULL && what->len > 0)
        memcpy(source->data, what->data, what->len);
    return source->filename != NULL && source->data != NULL;
}

void mt_source_deinit(struct mt_source *source)
{
    mt_mem_free(source->path);
    mt_mem_free(source->data);
    mt_mem_free(source->filename);
    memset(source, 0, sizeof *source);
}

void mt_source_look(struct mt_source *source)
{
    struct mt_fs_stat st = {0};
    int fd = -1;

    source->err =
        mt_fs_open(source->path, MT_FS_READ, &fd); /* follows links, shows what may be read */
    if (source->err == 0)
        source->err = mt_fs_stat_fd(fd, &st);
    if (fd >= 0)
        (void)mt_fs_close(fd);
    source->is_file = st.is_file;
    source->size_bytes = st.size_bytes;
    source->mtime_ms = st.mtime_ms;
}

enum mt_rc mt_source_judge(const struct mt_source *source, int64_t max_bytes,
                           struct mt_fault *fault)
{
    if (source->err == ENOENT || source->err == ENOTDIR)
        return mt_fault_set(fault, MT_ERR_NOT_FOUND, "file.missing", "there is no file %.180s",
                            source->path);
    if (source->err != 0)
        return mt_fs_fault(fault, source->err, "read", source->path);
    if (!source->is_file)
        return mt_fault_set(fault, MT_ERR_INVALID, "file.kind", "%s: it is not a file",
                            source->filename);
    if (source->size_bytes == 0)
        return mt_fault_set(fault, MT_ERR_INVALID, "file.empty",
                            "%s: it is empty, which the cloud does not take", source->filename);
    if (source->size_bytes > max_bytes)
        return mt_fault_set(fault, MT_ERR_LIMIT, "upload.too_large",
                            "%s: an attachment has at most %lld GB", source->filename,
                            (long long)((max_bytes + 1) >> 30));
    return MT_OK;
}

const char *mt_source_type(const char *filename)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {"png", "image/png"},       {"jpg", "image/jpeg"},      {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},       {"webp", "image/webp"},     {"bmp", "image/bmp"},
        {"mp4", "video/mp4"},       {"mov", "video/quicktime"}, {"webm", "video/webm"},
        {"mp3", "audio/mpeg"},      {"m4a", "audio/mp4"},       {"amr", "audio/amr"},
        {"wav", "audio/wav"},       {"ogg", "audio/ogg"},       {"aac", "audio/aac"},
        {"pdf", "application/pdf"}, {"txt", "text/plain"},      {"zip", "application/zip"},
    };
    const char *dot = strrchr(filename, '.');

    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(dot + 1, types[i].ending) == 0)
            return types[i].type;
    return NULL;
}

void mt_source_put(const struct mt_source *source, struct mt_buf *head, const struct mt_buf *tail,
                   struct mt_http_file *file, struct mt_http_request *request)
{
    if (source->path == NULL) { /* from memory: the body is built whole */
        (void)mt_buf_append(head, source->data, (size_t)source->size_bytes);
        (void)mt_buf_append(head, tail->data, tail->len);
        request->body = head->data;
        request->body_len = head->len;
        return;
    }
    *file = (struct mt_http_file){
        .path = source->path,
        .length = source->size_bytes,
        .size_bytes = source->size_bytes,
        .mtime_ms = source->mtime_ms,
        .head = head->data,
        .head_len = head->len,
        .tail = tail->data,
        .tail_len = tail->len,
    };
    request->file = file;
}
