/* Questions and answers in files: X.ask and X.answer, each under another name until it is whole. */
#include "jobs/ask.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

#define ASK_MAX    ((size_t)4096)
#define ANSWER_MAX ((size_t)1 << 20)
#define EACH_MAX   200
#define ANSWER     ".answer"
#define ASK        ".ask"

/* From "….answer" to a name beside it. */
static void beside(const char *path, const char *ending, char out[MT_ASK_PATH_MAX])
{
    int len = (int)strlen(path) - (int)strlen(ANSWER);
    snprintf(out, MT_ASK_PATH_MAX, "%.*s%s", len, path, ending);
}

static int write_file(const char *path, const char *final, const char *text, size_t len)
{
    int fd = -1;
    int err = mt_fs_open(path, MT_FS_WRITE | MT_FS_CREATE | MT_FS_EXCL, &fd);

    if (err)
        return err;
    err = mt_fs_write(fd, text, len);
    (void)mt_fs_close(fd);
    if (!err)
        err = mt_fs_rename(path, final);
    if (err)
        (void)mt_fs_unlink(path);
    return err;
}

enum mt_rc mt_ask_post(const char *dir, const char *job, const char *word,
                       char path[MT_ASK_PATH_MAX], struct mt_fault *fault)
{
    char part[MT_ASK_PATH_MAX];
    char whole[MT_ASK_PATH_MAX];
    struct mt_buf text;
    struct mt_jsonw w;

    int n = snprintf(path, MT_ASK_PATH_MAX, "%s/%016llx" ANSWER, dir,
                     (unsigned long long)mt_rand_below(UINT64_MAX));
    if (n < 0 || n >= MT_ASK_PATH_MAX)
        return mt_fault_set(fault, MT_ERR_LIMIT, "jobs.path", "the path of the state is too long");
    beside(path, ".part", part);
    beside(path, ASK, whole);
    mt_buf_init(&text, ASK_MAX);
    mt_jsonw_init(&w, &text);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "job");
    mt_jsonw_str(&w, job);
    mt_jsonw_key(&w, "do");
    mt_jsonw_str(&w, word);
    mt_jsonw_object_end(&w);
    enum mt_rc rc = text.failed;
    if (rc)
        mt_fault_set(fault, rc, "memory", "out of memory");
    int err = rc ? 0 : mt_fs_mkdirs(dir);
    if (!rc && !err)
        err = write_file(part, whole, text.data, text.len);
    mt_buf_deinit(&text);
    return err ? mt_fs_fault(fault, err, "write", whole) : rc;
}

bool mt_ask_take(const char *path, struct mt_buf *out)
{
    char *text = NULL;
    size_t len = 0;

    if (mt_fs_read_all(path, ANSWER_MAX, &text, &len))
        return false;
    bool kept = !mt_buf_append(out, text, len);
    mt_mem_free(text);
    (void)mt_fs_unlink(path);
    return kept;
}

void mt_ask_withdraw(const char *path)
{
    char ask[MT_ASK_PATH_MAX];

    beside(path, ASK, ask);
    (void)mt_fs_unlink(ask);
    (void)mt_fs_unlink(path);
}

/* One question; whoever can write here is the user himself, but files are files. */
static void one(const char *dir, const char *name,
                bool (*fn)(void *ud, const char *job, const char *word, const char *path), void *ud)
{
    char ask[MT_ASK_PATH_MAX];
    char answer[MT_ASK_PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    struct mt_json *json = NULL;
    int stem = (int)strlen(name) - (int)strlen(ASK);

    if (snprintf(answer, sizeof answer, "%s/%.*s" ANSWER, dir, stem, name) >= (int)sizeof answer)
        return;
    beside(answer, ASK, ask);
    if (mt_fs_read_all(ask, ASK_MAX, &text, &len))
        return;
    if (!mt_json_parse(text, len, ASK_MAX, &json, NULL)) {
        const char *job = mt_json_str(mt_json_get(json, "job"));
        const char *word = mt_json_str(mt_json_get(json, "do"));
        if (job && word && fn(ud, job, word, answer))
            (void)mt_fs_unlink(ask);
    }
    mt_json_free(json);
    mt_mem_free(text);
}

void mt_ask_each(const char *dir,
                 bool (*fn)(void *ud, const char *job, const char *word, const char *path),
                 void *ud)
{
    char **names = NULL;
    size_t n = 0;

    if (mt_fs_list(dir, &names, &n))
        return; /* nobody has asked yet */
    for (size_t i = 0, asked = 0; i < n && asked < EACH_MAX; i++) {
        if (!mt_str_ends(names[i], ASK))
            continue;
        asked++;
        one(dir, names[i], fn, ud);
    }
    mt_mem_free(names);
}

void mt_ask_answer(const char *path, const char *text, size_t len)
{
    char part[MT_ASK_PATH_MAX];

    beside(path, ".reply", part);
    int err = write_file(part, path, text, len);
    if (err)
        mt_log(MT_LOG_WARN, "serve", "an answer to moontide jobs was not written: %s",
               strerror(err));
}
