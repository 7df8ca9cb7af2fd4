/* What the server says of a session or a user besides messages (easemob.md §1.9): the end of a
 * session, and the readers of group messages that came while their sender was away. */
#include "sandbox/msync_int.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOCATION_MAX ((size_t)8 * 1024)

void mt_sb_session_statistic(struct mt_sb_session *session, uint32_t operation, const char *reason,
                             const char *location)
{
    uint8_t head_room[64];
    uint8_t jid_room[512];
    struct mt_sb_wire head = {.p = head_room, .cap = sizeof head_room};
    struct mt_sb_wire tail = {.p = jid_room, .cap = sizeof jid_room};
    struct mt_sb_store *store = &session->sandbox->store;
    int64_t now_ms = mt_clock_wall_ms();
    size_t reason_len = reason == NULL ? 0 : strlen(reason);
    size_t location_len = location == NULL ? 0 : strlen(location);
    /* Inside out: the body's length is needed before it is written. */
    uint8_t body_room[2048 + LOCATION_MAX];
    uint8_t meta_room[sizeof body_room + 64];
    uint8_t sync_room[sizeof meta_room + sizeof jid_room];
    struct mt_sb_wire body = {.p = body_room, .cap = sizeof body_room};
    struct mt_sb_wire meta = {.p = meta_room, .cap = sizeof meta_room};
    struct mt_sb_wire sync = {.p = sync_room, .cap = sizeof sync_room};

    mt_sb_wire_varint(&body, 1, operation);
    if (location_len > 0)
        mt_sb_wire_bytes(&body, 7, location, location_len);
    if (reason_len > 0)
        mt_sb_wire_bytes(&body, 10, reason, reason_len);
    mt_sb_wire_varint(&head, 1, mt_sb_store_next_id(store, now_ms));
    mt_sb_wire_varint(&head, 4, (uint64_t)now_ms);
    mt_sb_wire_varint(&head, 5, EASEMOB__PB__META__NAME_SPACE__STATISTIC);
    mt_sb_wire_raw(&meta, head.p, head.len);
    mt_sb_wire_bytes(&meta, 6, body.p, body.full ? 0 : body.len);
    mt_sb_wire_jid(&tail, 6, store->appkey, "statistic", MT_SB_DOMAIN_USER, NULL);
    mt_sb_wire_varint(&tail, 7, 1);
    mt_sb_wire_bytes(&sync, 4, meta.p, meta.len);
    mt_sb_wire_raw(&sync, tail.p, tail.len);
    mt_sb_session_send(session, EASEMOB__PB__MSYNC__COMMAND__SYNC, sync.p, sync.len);
}

/* ---------------------------------------------------------------- readers (§1.9, operation 0) */

struct collect {
    uint32_t author;
    struct mt_buf json;
    bool more;
    bool cut; /* the rest comes with the next heartbeat */
};

static bool collect_one(void *ud, const char *key, void *value)
{
    struct collect *collect = ud;
    struct mt_sb_readers *readers = value;

    if (!readers->untold || readers->author != collect->author)
        return true;
    collect->cut = collect->json.len + 64 > LOCATION_MAX;
    if (collect->cut)
        return false;
    (void)mt_buf_appendf(&collect->json, "%s{\"%s\":%zu}", collect->more ? "," : "", key,
                         readers->n);
    collect->more = true;
    readers->untold = false;
    return true;
}

void mt_sb_msync_readers(struct mt_sb_session *session)
{
    struct collect collect = {.author = session->device->user->index};

    if (!session->device->user->readers_untold)
        return;
    mt_buf_init(&collect.json, LOCATION_MAX + 64);
    (void)mt_buf_append_str(&collect.json, "{\"group_ack\":[");
    mt_map_each(session->sandbox->store.readers, collect_one, &collect);
    session->device->user->readers_untold = collect.cut;
    (void)mt_buf_append_str(&collect.json, "]}");
    if (collect.more && collect.json.failed == MT_OK)
        mt_sb_session_statistic(session, EASEMOB__PB__STATISTICS_BODY__OPERATION__INFORMATION, NULL,
                                collect.json.data);
    mt_buf_deinit(&collect.json);
}
