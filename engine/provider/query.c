/* Queries that outlive the call that brought them: see query.h. */
#include "provider/query.h"

#include "base/arena.h"

#include <string.h>

static bool copy_str(struct mt_arena *arena, const char **s)
{
    if (*s == NULL)
        return true;
    *s = mt_arena_strdup(arena, *s);
    return *s != NULL;
}

enum mt_rc mt_history_query_copy(const struct mt_history_query *from, struct mt_arena *arena,
                                 struct mt_history_query *out)
{
    const char **kinds = NULL;
    size_t n = 0;

    *out = *from;
    if (out->cursor != NULL && out->cursor[0] == '\0')
        out->cursor = NULL;
    if (!copy_str(arena, &out->cursor) || !copy_str(arena, &out->from))
        return MT_ERR_NOMEM;
    while (from->kinds != NULL && from->kinds[n] != NULL)
        n++;
    out->kinds = NULL;
    if (n == 0)
        return MT_OK;
    kinds = mt_arena_calloc(arena, n + 1, sizeof *kinds);
    if (kinds == NULL)
        return MT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        kinds[i] = from->kinds[i];
        if (!copy_str(arena, &kinds[i]))
            return MT_ERR_NOMEM;
    }
    out->kinds = kinds;
    return MT_OK;
}

bool mt_history_query_kind(const struct mt_history_query *query, const struct mt_message *m)
{
    if (query->kinds == NULL || m->type != MT_TYPE_MESSAGE)
        return true;
    for (const char *const *kind = query->kinds; *kind != NULL; kind++)
        if (strcmp(*kind, m->kind_name) == 0)
            return true;
    return false;
}
