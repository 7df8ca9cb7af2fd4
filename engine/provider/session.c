/* What live sessions have in common: see session.h. */
#include "provider/session.h"

#include "base/arena.h"
#include "base/rand.h"

#include <string.h>

#define REST_FIRST_MS   1000
#define REST_MAX_MS     60000
#define EVENT_MAX_BYTES ((size_t)64 * 1024)

int64_t mt_session_rest_ms(unsigned attempts)
{
    int64_t most = REST_FIRST_MS;

    for (unsigned i = 0; i < attempts && most < REST_MAX_MS; i++)
        most *= 2;
    if (most > REST_MAX_MS)
        most = REST_MAX_MS;
    return (int64_t)mt_rand_below((uint64_t)most) + 1;
}

enum mt_rc mt_session_event(enum mt_event_type type, const struct mt_value *data,
                            const struct mt_fault *fault, struct mt_event_batch *out,
                            struct mt_arena **arena)
{
    struct mt_event *event = NULL;

    *arena = mt_arena_new(EVENT_MAX_BYTES);
    event = *arena != NULL ? mt_arena_calloc(*arena, 1, sizeof *event) : NULL;
    if (event == NULL) {
        mt_arena_free(*arena);
        *arena = NULL;
        return MT_ERR_NOMEM;
    }
    event->type = type;
    event->data = (struct mt_value){.type = MT_VALUE_MAP};
    if (data != NULL) {
        struct mt_field *fields = mt_arena_calloc(*arena, data->fields_n, sizeof *fields);

        if (fields != NULL) {
            memcpy(fields, data->fields, data->fields_n * sizeof *fields);
            event->data.fields = fields;
            event->data.fields_n = data->fields_n;
        }
    }
    if (fault != NULL)
        event->fault = *fault;
    out->events = event;
    out->n = 1;
    return MT_OK;
}
