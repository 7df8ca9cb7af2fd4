/* Memory of a list that is read page by page: see conversations_int.h. */
#include "provider/easemob/conversations_int.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "provider/easemob/account_int.h"

#include <stdio.h>
#include <string.h>

#define LISTINGS_MAX 8 /* kept between pages; an older one loses its memory, nothing else */
#define STALE_MAX    3 /* pages in a row that may bring nothing new */

/* The value of a seen conversation is a page: asking one page twice must give the same twice. */
struct mt_em_page_name {
    struct mt_em_page_name *next;
    char cursor[];
};

void mt_em_listing_retain(struct mt_em_listing *listing)
{
    listing->refs++;
}

void mt_em_listing_release(struct mt_em_listing *listing)
{
    if (listing == NULL || --listing->refs > 0)
        return;
    mt_map_free(listing->seen, NULL);
    while (listing->pages != NULL) {
        struct mt_em_page_name *next = listing->pages->next;

        mt_mem_free(listing->pages);
        listing->pages = next;
    }
    mt_mem_free(listing);
}

void mt_em_listing_end(struct mt_provider_account *account, struct mt_em_listing *listing)
{
    struct mt_em_listing **at = &account->listings;

    while (*at != NULL && *at != listing)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = listing->next;
    listing->next = NULL;
    mt_em_listing_release(listing);
}

void mt_em_listings_free(struct mt_provider_account *account)
{
    while (account->listings != NULL)
        mt_em_listing_end(account, account->listings);
}

static struct mt_em_listing *listing_new(struct mt_provider_account *account)
{
    struct mt_em_listing *listing = mt_mem_calloc(1, sizeof *listing);
    size_t n = 0;

    if (listing == NULL)
        return NULL;
    listing->refs = 1;
    listing->id = ++account->listings_made;
    listing->seen = mt_map_new();
    if (listing->seen == NULL) {
        mt_em_listing_release(listing);
        return NULL;
    }
    listing->next = account->listings;
    account->listings = listing;
    for (struct mt_em_listing *l = listing; l != NULL; l = l->next)
        if (++n > LISTINGS_MAX) {
            mt_em_listing_end(account, l);
            break;
        }
    return listing;
}

struct mt_em_listing *mt_em_listing_of(struct mt_provider_account *account, const char *cursor,
                                       const char **theirs)
{
    const char *tilde = cursor == NULL ? NULL : strchr(cursor, '~');
    char digits[24];
    uint64_t id = 0;

    *theirs = cursor == NULL ? "" : cursor;
    if (tilde == NULL || tilde == cursor || (size_t)(tilde - cursor) >= sizeof digits)
        return listing_new(account);
    memcpy(digits, cursor, (size_t)(tilde - cursor));
    digits[tilde - cursor] = '\0';
    if (!mt_str_u64(digits, &id))
        return listing_new(account);
    *theirs = tilde + 1;
    for (struct mt_em_listing *l = account->listings; l != NULL; l = l->next)
        if (l->id == id)
            return l;
    return listing_new(account);
}

size_t mt_em_listing_count(const struct mt_em_listing *listing)
{
    return mt_map_count(listing->seen);
}

static struct mt_em_page_name *name_page(struct mt_em_listing *listing, const char *cursor)
{
    size_t len = strlen(cursor);
    struct mt_em_page_name *page = listing->pages;

    while (page != NULL && strcmp(page->cursor, cursor) != 0)
        page = page->next;
    if (page != NULL)
        return page;
    page = mt_mem_alloc(sizeof *page + len + 1);
    if (page == NULL)
        return NULL;
    memcpy(page->cursor, cursor, len + 1);
    page->next = listing->pages;
    listing->pages = page;
    return page;
}

/* Keeps what no other page of this listing had, once. *fresh: whether anything was not known yet,
 * or the page is asked for again. */
static enum mt_rc take_new(struct mt_em_listing *listing, struct mt_em_page_name *page,
                           struct mt_map *here, struct mt_em_channels *channels, bool *fresh)
{
    size_t kept = 0;

    *fresh = false;
    for (size_t i = 0; i < channels->n; i++) {
        char key[MT_CONVERSATION_ID_MAX];
        const struct mt_em_page_name *seen_on = NULL;

        mt_conversation_ref_format(&channels->items[i].ref, key);
        seen_on = mt_map_get(listing->seen, key);
        if (mt_map_get(here, key) != NULL || (seen_on != NULL && seen_on != page))
            continue;
        if (mt_map_put(here, key, page) != MT_OK || mt_map_put(listing->seen, key, page) != MT_OK)
            return MT_ERR_NOMEM;
        *fresh = true;
        if (kept != i)
            channels->items[kept] = channels->items[i];
        kept++;
    }
    channels->n = kept;
    return MT_OK;
}

enum mt_rc mt_em_listing_page(struct mt_em_listing *listing, const char *asked, const char *next,
                              struct mt_em_channels *channels, struct mt_arena *arena,
                              const char **cursor, struct mt_fault *fault)
{
    struct mt_em_page_name *page = name_page(listing, asked);
    struct mt_map *here = mt_map_new();
    size_t given = channels->n;
    bool fresh = false;
    enum mt_rc rc = MT_ERR_NOMEM;
    char id[32];
    char *ours = NULL;
    size_t size = 0;

    *cursor = NULL;
    if (page != NULL && here != NULL)
        rc = take_new(listing, page, here, channels, &fresh);
    mt_map_free(here, NULL);
    if (rc != MT_OK)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    if (next == NULL)
        return MT_OK;
    if (strcmp(next, asked) == 0)
        return mt_fault_set(fault, MT_ERR_PROTOCOL, "conversations.stuck",
                            "the cursor of the conversation list does not move on");
    listing->stale = fresh ? 0 : listing->stale + 1;
    if (listing->stale >= STALE_MAX)
        return mt_fault_set(
            fault, MT_ERR_PROTOCOL, given > 0 ? "conversations.repeats" : "conversations.stuck",
            "%d pages of the conversation list in a row brought nothing new, and the cloud "
            "says that more follows",
            STALE_MAX);
    snprintf(id, sizeof id, "%llu~", (unsigned long long)listing->id);
    size = strlen(id) + strlen(next) + 1;
    ours = mt_arena_alloc(arena, size);
    if (ours == NULL)
        return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
    snprintf(ours, size, "%s%s", id, next);
    *cursor = ours;
    return MT_OK;
}
