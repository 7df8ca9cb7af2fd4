/* Pins, levels and counts: see marks_int.h. */
#include "provider/rongcloud/marks_int.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define MARKS_MAX 100000

struct mt_rong_marks *mt_rong_marks_new(void)
{
    struct mt_rong_marks *marks = mt_mem_calloc(1, sizeof *marks);

    if (marks == NULL)
        return NULL;
    marks->by = mt_map_new();
    if (marks->by == NULL) {
        mt_mem_free(marks);
        return NULL;
    }
    return marks;
}

void mt_rong_marks_free(struct mt_rong_marks *marks)
{
    if (marks == NULL)
        return;
    mt_map_free(marks->by, mt_mem_free);
    mt_mem_free(marks);
}

static struct mt_rong_mark *slot(struct mt_rong_marks *marks, const char *key)
{
    struct mt_rong_mark *mark = mt_map_get(marks->by, key);

    if (mark != NULL || mt_map_count(marks->by) >= MARKS_MAX)
        return mark;
    mark = mt_mem_calloc(1, sizeof *mark);
    if (mark != NULL && mt_map_put(marks->by, key, mark) != MT_OK) {
        mt_mem_free(mark);
        mark = NULL;
    }
    return mark;
}

enum mt_rc mt_rong_marks_states(struct mt_rong_marks *marks,
                                const struct mt_rong_states_out *states)
{
    marks->settings = true;
    if (states->version > marks->version)
        marks->version = states->version;
    for (size_t i = 0; i < states->n; i++) {
        const struct mt_rong_state *state = &states->items[i];
        char key[MT_CONVERSATION_ID_MAX];
        struct mt_rong_mark *mark = NULL;

        if (state->ref.target[0] != '\0')
            mt_conversation_ref_format(&state->ref, key);
        else
            snprintf(key, sizeof key, "%d:", state->type);
        mark = slot(marks, key);
        if (mark == NULL)
            return MT_ERR_NOMEM;
        mark->ref = state->ref;
        if (state->time_ms > marks->version)
            marks->version = state->time_ms;
        if (state->has_top) {
            mark->top = state->top;
            mark->top_ms = state->top ? state->time_ms : 0;
        }
        if (state->has_level) {
            mark->has_level = true;
            mark->level = state->level;
        }
    }
    return MT_OK;
}

enum mt_rc mt_rong_marks_unreads(struct mt_rong_marks *marks,
                                 const struct mt_rong_unreads_out *unreads)
{
    for (size_t i = 0; i < unreads->n; i++) {
        const struct mt_rong_unread *u = &unreads->items[i];
        char key[MT_CONVERSATION_ID_MAX];
        struct mt_rong_mark *mark = NULL;

        mt_conversation_ref_format(&u->ref, key);
        mark = slot(marks, key);
        if (mark == NULL)
            return MT_ERR_NOMEM;
        mark->ref = u->ref;
        mark->has_unread = true;
        mark->unread = u->count > 0 ? u->count : 0;
        mark->mentions = u->mentions;
        mark->mentions_me = u->mentions_me;
        mark->first_unread_ms = u->first_unread_ms;
        mark->first_unread[0] = '\0';
        if (u->first_unread != NULL && strlen(u->first_unread) < sizeof mark->first_unread)
            memcpy(mark->first_unread, u->first_unread, strlen(u->first_unread) + 1);
    }
    return MT_OK;
}

const struct mt_rong_mark *mt_rong_marks_get(const struct mt_rong_marks *marks,
                                             const struct mt_conversation_ref *ref)
{
    char key[MT_CONVERSATION_ID_MAX];

    mt_conversation_ref_format(ref, key);
    return mt_map_get(marks->by, key);
}

bool mt_rong_marks_level(const struct mt_rong_marks *marks, const struct mt_conversation_ref *ref,
                         int64_t *out)
{
    const struct mt_rong_mark *mark = mt_rong_marks_get(marks, ref);
    const char *target = NULL;
    char key[16];

    if (mark == NULL || !mark->has_level || mark->level == 0) {
        snprintf(key, sizeof key, "%d:", mt_rong_ref_type(ref, &target));
        mark = mt_map_get(marks->by, key);
    }
    if (mark == NULL || !mark->has_level)
        return false;
    *out = mark->level;
    return true;
}
