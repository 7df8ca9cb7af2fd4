/* Private to the RongCloud side. Attachments over HTTP. */
#ifndef MT_SANDBOX_RONGCLOUD_FILE_INT_H
#define MT_SANDBOX_RONGCLOUD_FILE_INT_H

#include "codec/json.h"

#include <stdbool.h>

struct mt_sr_cloud;
struct mt_ws_answer;
struct mt_ws_request;

/* The navigation's field that says where to upload. */
void mt_sr_file_navi(const struct mt_sr_cloud *cloud, struct mt_jsonw *json);
/* Whether the request is about an attachment; the body of the answer then stands in cloud->answer.
 */
bool mt_sr_file_request(struct mt_sr_cloud *cloud, const struct mt_ws_request *request,
                        struct mt_ws_answer *answer);

#endif
