/* Files between curl and the work pool. Each pipe has two chunks: one that curl takes from or
 * fills, and one that a pool thread reads or writes. When curl is faster than the disk, its
 * transfer is paused; when the pool has done its chunk, it goes on. The pool's side (fd, theirs,
 * hash, error) is touched by the loop thread only while no job is running. */
#include "base/fs.h"
#include "base/mem.h"
#include "codec/hash.h"
#include "http/http_int.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum job { JOB_READ, JOB_WRITE, JOB_FINISH, JOB_DROP };

struct chunk {
    char *data;
    size_t len;
    size_t at;
};

struct http_pipe {
    struct mt_http *http;
    struct mt_loop *loop;
    struct mt_http_call *call; /* NULL: nobody waits any more */
    struct chunk mine;
    int64_t total;
    int64_t done;      /* bytes between curl and us, in this attempt */
    int64_t read_next; /* of the file, asked for so far */
    int64_t max_bytes;
    struct mt_http_file file;
    char *head;
    char *tail;
    char *path;
    unsigned round;
    bool writes;
    bool busy;
    bool paused;
    bool finishing;
    bool keep;
    bool again; /* the next job begins anew */
    bool ready; /* a reader: theirs holds what comes after mine */
    /* the pool's */
    bool job_again;
    bool made;
    bool changed;
    char sha256[MT_SHA256_HEX];
    enum job job;
    unsigned job_round;
    int fd;
    int err;
    int64_t job_offset;
    size_t job_len;
    struct chunk theirs;
    struct mt_sha256 *hash;
    const char *verb;
};

/* ---------------------------------------------------------------- on the pool */

static void note(struct http_pipe *pipe, int err, const char *verb)
{
    if (err != 0 && pipe->err == 0) {
        pipe->err = err;
        pipe->verb = verb;
    }
}

static void open_read(struct http_pipe *pipe)
{
    struct mt_fs_stat st = {0};
    note(pipe, mt_fs_open(pipe->path, MT_FS_READ, &pipe->fd), "read");
    if (pipe->err == 0) {
        note(pipe, mt_fs_stat_fd(pipe->fd, &st), "read");
    }
    pipe->changed =
        pipe->err == 0 && (!st.is_file || st.size_bytes != pipe->file.size_bytes ||
                           (pipe->file.mtime_ms != 0 && st.mtime_ms != pipe->file.mtime_ms));
}

static void job_read(struct http_pipe *pipe)
{
    if (pipe->fd < 0) {
        open_read(pipe);
    }
    pipe->theirs.len = 0;
    while (pipe->err == 0 && !pipe->changed && pipe->theirs.len < pipe->job_len) {
        size_t got = 0;
        note(pipe,
             mt_fs_pread(pipe->fd, pipe->theirs.data + pipe->theirs.len,
                         pipe->job_len - pipe->theirs.len,
                         pipe->job_offset + (int64_t)pipe->theirs.len, &got),
             "read");
        pipe->changed = pipe->err == 0 && got == 0;
        pipe->theirs.len += got;
    }
}

static void job_write(struct http_pipe *pipe)
{
    if (pipe->fd < 0) {
        int err = mt_fs_open(pipe->path, MT_FS_WRITE | MT_FS_CREATE | MT_FS_EXCL, &pipe->fd);
        pipe->made = err == 0;
        note(pipe, err, "make");
    } else if (pipe->job_again && pipe->err == 0) {
        note(pipe, mt_fs_truncate(pipe->fd, 0), "empty");
        if (pipe->err == 0) {
            note(pipe, mt_fs_seek(pipe->fd, 0), "empty");
        }
        mt_sha256_reset(pipe->hash);
    }
    if (pipe->err == 0 && pipe->theirs.len > 0) {
        note(pipe, mt_fs_write(pipe->fd, pipe->theirs.data, pipe->theirs.len), "write");
        mt_sha256_update(pipe->hash, pipe->theirs.data, pipe->theirs.len);
    }
    pipe->theirs.len = 0;
}

static void close_fd(struct http_pipe *pipe)
{
    if (pipe->fd >= 0) {
        int err = mt_fs_close(pipe->fd);
        note(pipe, pipe->writes ? err : 0, "write");
        pipe->fd = -1;
    }
}

static void job_finish(struct http_pipe *pipe)
{
    uint8_t digest[MT_SHA256_LEN];
    job_write(pipe);
    if (pipe->err == 0) {
        note(pipe, mt_fs_fsync(pipe->fd), "write");
    }
    close_fd(pipe);
    mt_sha256_peek(pipe->hash, digest);
    mt_hex(digest, sizeof digest, pipe->sha256);
}

static void on_pool(void *ud)
{
    struct http_pipe *pipe = ud;
    switch (pipe->job) {
    case JOB_READ:
        job_read(pipe);
        break;
    case JOB_WRITE:
        job_write(pipe);
        break;
    case JOB_FINISH:
        job_finish(pipe);
        break;
    case JOB_DROP:
        close_fd(pipe);
        if (pipe->made && !pipe->keep) {
            (void)mt_fs_unlink(pipe->path);
        }
        break;
    }
}

/* ---------------------------------------------------------------- on the loop */

static void free_pipe(struct http_pipe *pipe)
{
    mt_mem_free(pipe->mine.data);
    mt_mem_free(pipe->theirs.data);
    mt_mem_free(pipe->head);
    mt_mem_free(pipe->tail);
    mt_mem_free(pipe->path);
    mt_sha256_free(pipe->hash);
    mt_mem_free(pipe);
}

static void on_job_done(void *ud, bool cancelled);

static void start_job(struct http_pipe *pipe, enum job job)
{
    pipe->job = job;
    pipe->job_round = pipe->round;
    pipe->job_again = pipe->again;
    if (job == JOB_WRITE || job == JOB_FINISH) {
        pipe->again = false;
    }
    pipe->busy = true;
    if (mt_work_start(pipe->loop, on_pool, on_job_done, pipe, NULL) != MT_OK) {
        pipe->busy = false;
        if (job == JOB_DROP) {
            on_pool(pipe); /* no memory to do it elsewhere */
            free_pipe(pipe);
            return;
        }
        note(pipe, ENOMEM, pipe->writes ? "write" : "read");
        if (job == JOB_FINISH) {
            answer_sunk(pipe->call);
        }
    }
}

static void swap(struct http_pipe *pipe)
{
    struct chunk chunk = pipe->mine;
    pipe->mine = pipe->theirs;
    pipe->theirs = chunk;
    pipe->mine.at = 0;
}

static void begin_finish(struct http_pipe *pipe)
{
    if (pipe->mine.len > 0) {
        swap(pipe);
        pipe->mine.len = 0;
    }
    start_job(pipe, JOB_FINISH);
}

static void read_ahead(struct http_pipe *pipe)
{
    int64_t left = pipe->file.length - pipe->read_next;
    if (pipe->busy || pipe->ready || left <= 0 || pipe_failed(pipe)) {
        return;
    }
    pipe->job_len = left < HTTP_CHUNK_BYTES ? (size_t)left : HTTP_CHUNK_BYTES;
    pipe->job_offset = pipe->file.offset + pipe->read_next;
    pipe->read_next += (int64_t)pipe->job_len;
    start_job(pipe, JOB_READ);
}

/* curl may have a part of the answer that it delivers from inside the call, and that may be
 * refused.
 */
static void resume(struct http_pipe *pipe)
{
    struct http_slot *slot = pipe->call->slot;
    struct mt_http *http = pipe->http;
    if (!pipe->paused || !slot) {
        return;
    }
    pipe->paused = false;
    CURLcode code = curl_easy_pause(slot->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK) {
        (void)curl_multi_remove_handle(http->multi, slot->easy);
        answer_take(slot, code);
        http_pump(http);
    }
}

static void tell(struct http_pipe *pipe)
{
    struct mt_http_call *call = pipe->call;
    curl_off_t length = -1;
    int64_t total = pipe->total;
    if (!call->progress || !call->slot) {
        return;
    }
    if (pipe->writes && curl_easy_getinfo(call->slot->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
                                          &length) == CURLE_OK) {
        total = length > 0 ? (int64_t)length : 0;
    }
    call->progress(call->ud, pipe->done, total);
}

static void on_job_done(void *ud, bool cancelled)
{
    struct http_pipe *pipe = ud;
    struct mt_http *http = pipe->http;
    pipe->busy = false;
    if (cancelled) {
        note(pipe, EINTR, "write");
    }
    if (pipe->job == JOB_DROP) {
        free_pipe(pipe);
        return;
    }
    if (!pipe->call) {
        start_job(pipe, JOB_DROP); /* http may be gone */
        return;
    }
    if (pipe->job == JOB_READ && pipe->job_round == pipe->round) {
        pipe->ready = true;
    }
    http_depth_enter(http);
    tell(pipe);
    if (!pipe->call) {
        ; /* progress has ended it */
    } else if (pipe->job == JOB_FINISH && !pipe->again) {
        answer_sunk(pipe->call);
        http_pump(http);
    } else if (pipe->finishing) {
        begin_finish(pipe);
    } else {
        resume(pipe);
    }
    http_depth_leave(http);
}

static struct http_pipe *make(struct mt_http_call *call, const char *path)
{
    struct http_pipe *pipe = mt_mem_calloc(1, sizeof *pipe);
    if (!pipe) {
        return NULL;
    }
    pipe->fd = -1;
    pipe->http = call->http;
    pipe->loop = call->http->loop;
    pipe->call = call;
    pipe->path = mt_mem_strdup(path);
    pipe->mine.data = mt_mem_alloc(HTTP_CHUNK_BYTES);
    pipe->theirs.data = mt_mem_alloc(HTTP_CHUNK_BYTES);
    if (!pipe->path || !pipe->mine.data || !pipe->theirs.data) {
        free_pipe(pipe);
        return NULL;
    }
    return pipe;
}

static char *copy(const void *p, size_t len)
{
    char *out = mt_mem_alloc(len + 1);
    if (out && len > 0) {
        memcpy(out, p, len);
    }
    return out;
}

struct http_pipe *pipe_reader(struct mt_http_call *call, const struct mt_http_file *file)
{
    struct http_pipe *pipe = make(call, file->path);
    if (!pipe) {
        return NULL;
    }
    pipe->file = *file;
    pipe->head = copy(file->head, file->head_len);
    pipe->tail = copy(file->tail, file->tail_len);
    pipe->total = (int64_t)file->head_len + file->length + (int64_t)file->tail_len;
    if (!pipe->head || !pipe->tail) {
        free_pipe(pipe);
        return NULL;
    }
    return pipe;
}

struct http_pipe *pipe_writer(struct mt_http_call *call, const struct mt_http_sink *sink)
{
    struct http_pipe *pipe = make(call, sink->path);
    if (!pipe) {
        return NULL;
    }
    pipe->writes = true;
    pipe->max_bytes = sink->max_bytes;
    pipe->hash = mt_sha256_new();
    if (!pipe->hash) {
        free_pipe(pipe);
        return NULL;
    }
    return pipe;
}

void pipe_restart(struct http_pipe *pipe)
{
    pipe->round++;
    pipe->again = pipe->writes;
    pipe->paused = false;
    pipe->ready = false;
    pipe->done = 0;
    pipe->read_next = 0;
    pipe->mine.len = 0;
    pipe->mine.at = 0;
    if (!pipe->writes) {
        read_ahead(pipe); /* while the connection is being made */
    }
}

int64_t pipe_total(const struct http_pipe *pipe)
{
    return pipe->total;
}

int64_t pipe_done(const struct http_pipe *pipe)
{
    return pipe->done;
}

int64_t pipe_max(const struct http_pipe *pipe)
{
    return pipe->max_bytes;
}

bool pipe_failed(const struct http_pipe *pipe)
{
    return !pipe->busy && (pipe->err != 0 || pipe->changed);
}

enum mt_rc pipe_fault(const struct http_pipe *pipe, struct mt_fault *fault)
{
    if (pipe->err != 0) {
        return mt_fs_fault(fault, pipe->err, pipe->verb, pipe->path);
    }
    return mt_fault_set(fault, MT_ERR_STATE, "file.changed",
                        "%.150s was changed while it was being sent: send it again", pipe->path);
}

const char *pipe_sha256(const struct http_pipe *pipe)
{
    return pipe->sha256;
}

/* ---------------------------------------------------------------- curl's side */

static size_t put(struct http_pipe *pipe, char *to, const char *from, size_t len, size_t cap)
{
    size_t n = len < cap ? len : cap;
    memcpy(to, from, n);
    pipe->done += (int64_t)n;
    return n;
}

size_t pipe_on_read(char *to, size_t size, size_t n, void *ud)
{
    struct http_pipe *pipe = ud;
    size_t cap = size * n;
    int64_t head_len = (int64_t)pipe->file.head_len;
    if (pipe->done < head_len) {
        return put(pipe, to, pipe->head + pipe->done, (size_t)(head_len - pipe->done), cap);
    }
    if (pipe->done >= head_len + pipe->file.length) {
        size_t at = (size_t)(pipe->done - head_len - pipe->file.length);
        return put(pipe, to, pipe->tail + at, pipe->file.tail_len - at, cap);
    }
    if (pipe->mine.at == pipe->mine.len && pipe->ready) {
        pipe->ready = false;
        swap(pipe);
    }
    read_ahead(pipe);
    if (pipe->mine.at == pipe->mine.len) {
        if (pipe_failed(pipe)) {
            return CURL_READFUNC_ABORT;
        }
        pipe->paused = true;
        return CURL_READFUNC_PAUSE;
    }
    size_t used =
        put(pipe, to, pipe->mine.data + pipe->mine.at, pipe->mine.len - pipe->mine.at, cap);
    pipe->mine.at += used;
    return used;
}

/* curl goes back to the start when a kept connection has died under the request. */
int pipe_on_seek(void *ud, curl_off_t offset, int origin)
{
    if (offset != 0 || origin != SEEK_SET) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    pipe_restart(ud);
    return CURL_SEEKFUNC_OK;
}

size_t pipe_write(struct http_pipe *pipe, const char *data, size_t len)
{
    if (pipe_failed(pipe) || len > HTTP_CHUNK_BYTES) {
        pipe->call->slot->body_rc = MT_ERR_IO;
        return CURL_WRITEFUNC_ERROR;
    }
    if ((int64_t)len > pipe->max_bytes - pipe->done) {
        pipe->call->slot->body_rc = MT_ERR_LIMIT;
        return CURL_WRITEFUNC_ERROR;
    }
    if (pipe->mine.len + len > HTTP_CHUNK_BYTES) {
        if (pipe->busy) {
            pipe->paused = true;
            return CURL_WRITEFUNC_PAUSE;
        }
        swap(pipe);
        pipe->mine.len = 0;
        start_job(pipe, JOB_WRITE);
    }
    memcpy(pipe->mine.data + pipe->mine.len, data, len);
    pipe->mine.len += len;
    pipe->done += (int64_t)len;
    return len;
}

void pipe_finish(struct http_pipe *pipe)
{
    pipe->finishing = true;
    if (!pipe->busy) {
        begin_finish(pipe);
    }
}

void pipe_drop(struct http_pipe *pipe, bool keep)
{
    if (!pipe) {
        return;
    }
    pipe->call = NULL;
    pipe->keep = keep;
    if (!pipe->busy) {
        start_job(pipe, JOB_DROP);
    }
}
