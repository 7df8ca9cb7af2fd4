/* HTTP requests of a call: see files_int.h. */
#include "provider/rongcloud/files_int.h"

static struct mt_rong_file_call *of(struct mt_provider_call *life)
{
    return (struct mt_rong_file_call *)life;
}

static bool stop(struct mt_provider_call *life)
{
    if (of(life)->http == NULL)
        return false;
    mt_http_cancel(of(life)->http);
    return true;
}

static void on_http(void *ud, enum mt_rc rc, const struct mt_http_response *response,
                    const struct mt_fault *fault)
{
    struct mt_rong_file_call *call = ud;
    struct mt_provider_call *life = &call->base.life;

    call->http = NULL;
    life->stop = NULL;
    if (mt_call_drop(life))
        return;
    if (life->cancelled)
        mt_call_end(life, MT_ERR_CANCELLED, NULL);
    else
        call->came(life, rc, response, fault);
}

void mt_rong_http(struct mt_provider_call *life, const struct mt_http_request *request)
{
    struct mt_rong_file_call *call = of(life);
    struct mt_fault fault = {.kind = MT_OK};
    enum mt_rc rc = mt_http_start(life->account->http, request, on_http, call, &call->http, &fault);

    if (rc != MT_OK) {
        call->http = NULL;
        mt_call_end_soon(life, rc, &fault);
        return;
    }
    life->held++;
    life->stop = stop;
}
