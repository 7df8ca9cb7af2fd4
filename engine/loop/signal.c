/* POSIX signals as callbacks on the loop thread. */
#include "base/mem.h"
#include "loop/loop_int.h"

struct mt_signal {
    uv_signal_t uv; /* first: closed by loop_close */
    void (*fn)(void *ud, int signum);
    void *ud;
};

static void on_signal(uv_signal_t *uv, int signum)
{
    struct mt_signal *sig = (struct mt_signal *)uv;
    sig->fn(sig->ud, signum);
}

enum mt_rc mt_signal_new(struct mt_loop *loop, int signum, void (*fn)(void *ud, int signum),
                         void *ud, struct mt_signal **out)
{
    struct mt_signal *sig = mt_mem_calloc(1, sizeof *sig);
    if (!sig) {
        return MT_ERR_NOMEM;
    }
    sig->fn = fn;
    sig->ud = ud;
    int err = uv_signal_init(&loop->uv, &sig->uv);
    if (err != 0) {
        mt_mem_free(sig);
        return loop_rc(err);
    }
    err = uv_signal_start(&sig->uv, on_signal, signum);
    if (err != 0) {
        loop_close((uv_handle_t *)&sig->uv);
        return loop_rc(err);
    }
    uv_unref((uv_handle_t *)&sig->uv);
    *out = sig;
    return MT_OK;
}

void mt_signal_free(struct mt_signal *sig)
{
    if (sig) {
        loop_close((uv_handle_t *)&sig->uv);
    }
}
