/* The work pool. */
#include "base/mem.h"
#include "loop/loop_int.h"

struct mt_work {
    uv_work_t uv; /* first */
    struct mt_loop *loop;
    void (*fn)(void *ud);
    void (*done)(void *ud, bool cancelled);
    void *ud;
};

static void on_work(uv_work_t *uv)
{
    struct mt_work *work = (struct mt_work *)uv;
    work->fn(work->ud);
}

static void on_worked(uv_work_t *uv, int status)
{
    struct mt_work *work = (struct mt_work *)uv;
    work->loop->requests_n--;
    if (work->done) {
        work->done(work->ud, status == UV_ECANCELED);
    }
    mt_mem_free(work);
}

enum mt_rc mt_work_start(struct mt_loop *loop, void (*fn)(void *ud),
                         void (*done)(void *ud, bool cancelled), void *ud, struct mt_work **out)
{
    struct mt_work *work = mt_mem_calloc(1, sizeof *work);
    if (!work) {
        return MT_ERR_NOMEM;
    }
    work->loop = loop;
    work->fn = fn;
    work->done = done;
    work->ud = ud;
    int err = uv_queue_work(&loop->uv, &work->uv, on_work, on_worked);
    if (err != 0) {
        mt_mem_free(work);
        return loop_rc(err);
    }
    loop->requests_n++;
    if (out) {
        *out = work;
    }
    return MT_OK;
}

void mt_work_cancel(struct mt_work *work)
{
    (void)uv_cancel((uv_req_t *)&work->uv); /* EBUSY: it runs already, and done will say so */
}
