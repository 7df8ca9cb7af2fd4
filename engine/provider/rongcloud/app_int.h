/* Users' tokens from the app secret, by the server API (rongcloud.md 7). */
#ifndef MT_RONGCLOUD_APP_INT_H
#define MT_RONGCLOUD_APP_INT_H

#include "provider/app.h"

enum mt_rc mt_rong_app_open(struct mt_loop *loop, struct mt_http *http,
                            const struct mt_app_config *config, struct mt_provider_app **out,
                            struct mt_fault *fault);
void mt_rong_app_close(struct mt_provider_app *app);
/* For mt_app_retain and mt_app_release: an account holds the app that it was opened with. */
struct mt_app *mt_rong_app_core(struct mt_provider_app *app);
/* A token of that user, with the hosts behind its '@'. done follows, never at once; until then
 * mt_app_ask_cancel may be called with *out. Faults beside those of the network: AUTH
 * "auth.app_refused", NOT_FOUND "user.unknown", LIMIT "limit.exceeded". */
enum mt_rc mt_rong_app_token(struct mt_provider_app *app, const char *user, mt_app_token_fn *done,
                             void *ud, struct mt_app_ask **out) MT_CHECKED;
/* Lower-case hexadecimal SHA1 of secret, nonce and timestamp, 41 bytes with NUL. */
enum mt_rc mt_rong_app_sign(const struct mt_app *app, const char *nonce, const char *timestamp,
                            char out[41]) MT_CHECKED;

#endif
