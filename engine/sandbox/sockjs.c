/* SockJS, as the web SDKs up to 4.1 use it: text frames "o", a["base64"], from the client
 * ["base64"]. Only the WebSocket transport: the official SDK never falls back to another one where
 * that works. */
#include "sandbox/msync_int.h"

#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "ws/server.h"

#include <string.h>

bool mt_sb_sockjs_path(const char *path)
{
    static const char TAIL[] = "/websocket";
    if (strncmp(path, "/ws/", 4) != 0)
        return false;
    const char *server = path + 4;
    size_t server_len = strcspn(server, "/");
    if (server_len == 0 || server[server_len] != '/')
        return false;
    const char *session = server + server_len + 1;
    size_t session_len = strcspn(session, "/");
    return session_len != 0 && strcmp(session + session_len, TAIL) == 0;
}

void mt_sb_sockjs_send(struct mt_sb_session *session, const void *p, size_t len)
{
    struct mt_buf text;
    mt_buf_init(&text, MT_BASE64_ENCODED_LEN(len) + 64);
    (void)mt_buf_append_str(&text, "a[\"");
    (void)mt_base64_encode(&text, p, len);
    (void)mt_buf_append_str(&text, "\"]");
    if (text.failed == MT_OK)
        (void)mt_ws_peer_send(session->peer, false, text.data, text.len);
    mt_buf_deinit(&text);
}

static void one_message(struct mt_sb_session *session, const char *text)
{
    size_t text_len = strlen(text);
    size_t len = 0;
    uint8_t *bytes = mt_mem_alloc(MT_BASE64_DECODED_MAX(text_len));
    if (bytes != NULL && mt_base64_decode(text, text_len, bytes, &len) == MT_OK)
        mt_sb_session_frame(session, bytes, len);
    mt_mem_free(bytes);
}

void mt_sb_sockjs_message(struct mt_sb_session *session, const void *p, size_t len)
{
    struct mt_json *root = NULL;
    if (mt_json_parse(p, len, 2 * MT_SB_FRAME_MAX, &root, NULL) != MT_OK ||
        mt_json_type(root) != MT_JSON_ARRAY) {
        mt_json_free(root);
        mt_ws_peer_close(session->peer, 1007);
        return;
    }
    for (const struct mt_json *at = mt_json_child(root); at != NULL; at = mt_json_next(at)) {
        const char *text = mt_json_str(at);
        if (text != NULL)
            one_message(session, text);
    }
    mt_json_free(root);
}
