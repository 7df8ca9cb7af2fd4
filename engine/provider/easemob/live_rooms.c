/* Which ids are chat rooms, as far as this session has seen. */
#include "provider/easemob/live_int.h"

#include "base/mem.h"

#include <string.h>

static bool known(const struct mt_em_live *live, const char *target)
{
    for (size_t i = 0; i < live->rooms_n; i++)
        if (!strcmp(live->rooms[i].target, target))
            return true;
    return false;
}

void mt_em_live_room_note(struct mt_em_live *live, const struct mt_conversation_ref *ref)
{
    if (ref->kind != MT_CONVERSATION_ROOM || known(live, ref->target))
        return;
    if (!live->rooms)
        live->rooms = mt_mem_calloc(MT_EM_ROOMS_MAX, sizeof *live->rooms);
    if (!live->rooms)
        return; /* a recall there is told as a group's */
    live->rooms[live->rooms_at] = *ref;
    live->rooms_at = (live->rooms_at + 1) % MT_EM_ROOMS_MAX;
    live->rooms_n += live->rooms_n < MT_EM_ROOMS_MAX;
}

void mt_em_live_room_tell(const struct mt_em_live *live, struct mt_conversation_ref *ref)
{
    if (ref->kind == MT_CONVERSATION_GROUP && known(live, ref->target))
        ref->kind = MT_CONVERSATION_ROOM;
}
