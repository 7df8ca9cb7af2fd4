/* Deep copies of what a provider shows for the length of a callback: one arena a page, shared by
 * the messages that a script holds. */
#include "script/script_int.h"

#include "base/arena.h"
#include "base/mem.h"

#include <string.h>

#define PAGE_MAX_BYTES (256u << 20)

static const char *copy_str(struct mt_arena *arena, const char *s, bool *ok)
{
    const char *copy = s ? mt_arena_strdup(arena, s) : NULL;
    if (s && !copy)
        *ok = false;
    return copy;
}

static void copy_value(struct mt_arena *arena, const struct mt_value *from, struct mt_value *to,
                       bool *ok)
{
    *to = *from;
    if (from->type == MT_VALUE_STR) {
        to->s = mt_arena_strndup(arena, from->s ? from->s : "", from->len);
        *ok = *ok && to->s;
    } else if (from->type == MT_VALUE_LIST && from->items_n) {
        to->items = mt_arena_calloc(arena, from->items_n, sizeof *to->items);
        *ok = *ok && to->items;
        for (size_t i = 0; *ok && i < from->items_n; i++)
            copy_value(arena, &from->items[i], &to->items[i], ok);
    } else if (from->type == MT_VALUE_MAP && from->fields_n) {
        to->fields = mt_arena_calloc(arena, from->fields_n, sizeof *to->fields);
        *ok = *ok && to->fields;
        for (size_t i = 0; *ok && i < from->fields_n; i++) {
            to->fields[i].key = copy_str(arena, from->fields[i].key, ok);
            copy_value(arena, &from->fields[i].value, &to->fields[i].value, ok);
        }
    }
}

static void copy_message(struct mt_arena *arena, const struct mt_message *from,
                         struct mt_message *to, bool *ok)
{
    *to = *from;
    to->id = copy_str(arena, from->id, ok);
    to->target_id = copy_str(arena, from->target_id, ok);
    to->from = copy_str(arena, from->from, ok);
    to->to = copy_str(arena, from->to, ok);
    to->kind_name = copy_str(arena, from->kind_name, ok);
    to->text = from->text ? mt_arena_strndup(arena, from->text, from->text_len) : NULL;
    *ok = *ok && !from->text == !to->text;
    copy_value(arena, &from->body, &to->body, ok);
    copy_value(arena, &from->ext, &to->ext, ok);
    copy_value(arena, &from->extra, &to->extra, ok);
    if (from->raw_len) {
        void *raw = mt_arena_alloc(arena, from->raw_len);
        *ok = *ok && raw;
        if (raw)
            memcpy(raw, from->raw, from->raw_len);
        to->raw = raw;
    }
}

static struct mt_page *page_new(size_t n)
{
    struct mt_page *page = mt_mem_calloc(1, sizeof *page);

    if (!page)
        return NULL;
    page->refs = 1;
    page->n = n;
    page->arena = mt_arena_new(PAGE_MAX_BYTES);
    if (!page->arena) {
        mt_mem_free(page);
        return NULL;
    }
    return page;
}

struct mt_page *mt_page_of_messages(const struct mt_message *items, size_t n)
{
    struct mt_page *page = page_new(n);
    bool ok = page != NULL;

    if (!page)
        return NULL;
    page->messages = mt_arena_calloc(page->arena, n ? n : 1, sizeof *page->messages);
    ok = page->messages;
    for (size_t i = 0; ok && i < n; i++)
        copy_message(page->arena, &items[i], &page->messages[i], &ok);
    if (ok)
        return page;
    mt_page_release(page);
    return NULL;
}

static bool copy_conversation(struct mt_arena *arena, const struct mt_conversation *from,
                              struct mt_conversation *to)
{
    bool ok = true;

    *to = *from;
    if (from->marks_n) {
        int *marks = mt_arena_calloc(arena, from->marks_n, sizeof *marks);
        if (!marks)
            return false;
        memcpy(marks, from->marks, from->marks_n * sizeof *marks);
        to->marks = marks;
    }
    if (from->last) {
        struct mt_message *last = mt_arena_alloc(arena, sizeof *last);
        if (!last)
            return false;
        copy_message(arena, from->last, last, &ok);
        to->last = last;
    }
    if (from->mentions.users) {
        size_t n = 0;
        while (from->mentions.users[n])
            n++;
        const char **users = mt_arena_calloc(arena, n + 1, sizeof *users);
        for (size_t i = 0; users && i < n; i++)
            users[i] = copy_str(arena, from->mentions.users[i], &ok);
        to->mentions.users = users;
        ok = ok && users;
    }
    return ok;
}

struct mt_page *mt_page_of_conversations(const struct mt_conversation *items, size_t n)
{
    struct mt_page *page = page_new(n);
    bool ok = page != NULL;

    if (!page)
        return NULL;
    page->conversations = mt_arena_calloc(page->arena, n ? n : 1, sizeof *page->conversations);
    ok = page->conversations;
    for (size_t i = 0; ok && i < n; i++)
        ok = copy_conversation(page->arena, &items[i], &page->conversations[i]);
    if (ok)
        return page;
    mt_page_release(page);
    return NULL;
}

struct mt_page *mt_page_retain(struct mt_page *page)
{
    if (page)
        page->refs++;
    return page;
}

void mt_page_release(struct mt_page *page)
{
    if (!page || --page->refs)
        return;
    mt_arena_free(page->arena);
    mt_mem_free(page);
}
