/* Users' tokens from the app's client id and secret (easemob-service.md 1.2, 1.3). */
#ifndef MT_EASEMOB_APP_INT_H
#define MT_EASEMOB_APP_INT_H

#include "provider/app.h"

struct mt_buf;
struct mt_provider_account;

enum mt_rc mt_em_app_open(struct mt_loop *loop, struct mt_http *http,
                          const struct mt_app_config *config, struct mt_provider_app **out,
                          struct mt_fault *fault);
void mt_em_app_close(struct mt_provider_app *app);
/* A token of the account's user, asked for at the account's REST host. done follows, never at once;
 * until then mt_app_ask_cancel may be called with *out. Faults beside those of the network: AUTH
 * "auth.app_refused", NOT_FOUND "user.unknown". */
enum mt_rc mt_em_app_token(struct mt_provider_account *account, mt_app_token_fn *done, void *ud,
                           struct mt_app_ask **out) MT_CHECKED;
struct mt_app *mt_em_app_core(struct mt_provider_app *app);
/* The dynamic token: signed with the client secret, checked by the cloud at the login. */
enum mt_rc mt_em_dynamic_token(const struct mt_app *app, const char *user, int64_t now_s,
                               int64_t ttl_s, struct mt_buf *out) MT_CHECKED;

#endif
