/* What a live account hears: messages and the cloud's other news as events, in an arena
 * (rongcloud.md 2.5, 4.3, 4.6, 4.7). */
#ifndef MT_RONGCLOUD_EVENT_INT_H
#define MT_RONGCLOUD_EVENT_INT_H

#include "model/event.h"
#include "provider/rongcloud/page_int.h"

/* Events of one batch. items and all that they hold lie in the arena. */
struct mt_rong_events {
    const char *user;
    struct mt_arena *arena;
    struct mt_event *items;
    size_t n, cap;
};

void mt_rong_events_init(struct mt_rong_events *events, const char *user, struct mt_arena *arena);

/* One message of a pull, a push, an echo of another device, or an edit (type EDIT); it may be of no
 * event or of several. Its strings must lie in the arena, or live as long. MT_ERR_LIMIT: the arena
 * is full. */
enum mt_rc mt_rong_events_message(struct mt_rong_events *events,
                                  const struct mt_message *message) MT_CHECKED;
/* Settings that were changed elsewhere. */
enum mt_rc mt_rong_events_states(struct mt_rong_events *events,
                                 const struct mt_rong_states_out *states) MT_CHECKED;
/* The echo of updRTime and updUgRTime: read on another device. MT_ERR_PROTOCOL: it is none. */
enum mt_rc mt_rong_events_read_time(struct mt_rong_events *events, const void *p,
                                    size_t len) MT_CHECKED;

/* The answers of pullEventChange (EventChangeList) and qryMsgChange (MsgChangeList). */
struct mt_rong_changes_out {
    int64_t sync_ms;
    bool more;
};
enum mt_rc mt_rong_events_changes(struct mt_rong_events *events, const void *p, size_t len,
                                  struct mt_rong_changes_out *out,
                                  struct mt_fault *fault) MT_CHECKED;
enum mt_rc mt_rong_events_ultra_changes(struct mt_rong_events *events, const void *p, size_t len,
                                        struct mt_rong_changes_out *out,
                                        struct mt_fault *fault) MT_CHECKED;

#endif
