/* --generate: made-up chats of the owner, the same for the same seed. Sizes are skewed as in life
 * (a few conversations hold most of the messages), talk comes in bursts, every kind of message and
 * every type of ext value occurs. */
#include "sandbox/fill_int.h"

#include "base/mem.h"
#include "sandbox/faults_int.h"
#include "sandbox/generate_text_int.h"
#include "sandbox/wire_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define CONVERSATIONS_MIN 3
#define CONVERSATIONS_MAX 400 /* below the cap of the list, so that nothing is evicted unasked */
#define MESSAGES_EACH     150 /* on average, until the maximum is reached */
#define ACTIVE            12  /* conversations that are being talked in at one moment */
#define MEMBERS_MIN       4
#define MEMBERS_SPREAD    40
#define GROUP_ID_FIRST    UINT64_C(93734273351681)

struct chat {
    struct mt_sb_thread *thread;
    struct mt_sb_user **members;
    size_t member_n;
    double weight; /* this one and all before */
};

struct mt_sb_generate {
    const struct mt_sb_fill *fill;
    uint64_t random;
    struct chat *chats;
    size_t chat_n;
    size_t active[ACTIVE];
    uint64_t done;
    int64_t next_ms;
};

void mt_sb_generate_free(struct mt_sb_generate *generate)
{
    if (generate == NULL)
        return;
    for (size_t i = 0; i < generate->chat_n; i++)
        mt_mem_free(generate->chats[i].members);
    mt_mem_free(generate->chats);
    mt_mem_free(generate);
}

static size_t below(struct mt_sb_generate *generate, size_t n)
{
    return (size_t)(mt_sb_random(&generate->random) % n);
}

static size_t pick_chat(struct mt_sb_generate *generate)
{
    double all = generate->chats[generate->chat_n - 1].weight;
    double at = mt_sb_random_unit(&generate->random) * all;
    size_t low = 0;
    size_t high = generate->chat_n - 1;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (generate->chats[mid].weight <= at)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void advance(struct mt_sb_generate *generate)
{
    const struct mt_sb_fill *fill = generate->fill;
    if (generate->done == fill->generate_n) {
        generate->next_ms = INT64_MAX;
        return;
    }
    double part =
        ((double)generate->done + mt_sb_random_unit(&generate->random)) / (double)fill->generate_n;
    generate->next_ms = fill->now_ms - fill->span_ms + (int64_t)(part * (double)fill->span_ms);
}

static enum mt_rc make_single(struct mt_sb_generate *generate, struct chat *chat, uint32_t number)
{
    char name[MT_SB_ID_MAX];
    const struct mt_sb_fill *fill = generate->fill;
    mt_sb_generate_name(&generate->random, number, name, sizeof name);
    struct mt_sb_user *peer = mt_sb_user_make(fill->store, name);
    chat->members = mt_mem_calloc(2, sizeof(struct mt_sb_user *));
    if (peer == NULL || chat->members == NULL)
        return MT_ERR_NOMEM;
    peer->registered = true;
    chat->members[0] = peer;
    chat->members[1] = fill->owner;
    chat->member_n = 2;
    chat->thread = mt_sb_thread_single(fill->store, fill->owner, peer, true);
    return chat->thread == NULL ? MT_ERR_NOMEM : MT_OK;
}

static enum mt_rc make_group(struct mt_sb_generate *generate, struct chat *chat, uint32_t number)
{
    char name[MT_SB_ID_MAX];
    const struct mt_sb_fill *fill = generate->fill;
    (void)snprintf(name, sizeof name, "%" PRIu64, GROUP_ID_FIRST + (uint64_t)number * 1048576);
    chat->thread = mt_sb_thread_group_make(fill->store, name, MT_SB_GROUP, fill->owner);
    chat->member_n = MEMBERS_MIN + below(generate, MEMBERS_SPREAD);
    chat->members = mt_mem_calloc(chat->member_n, sizeof(struct mt_sb_user *));
    if (chat->thread == NULL || chat->members == NULL)
        return MT_ERR_NOMEM;
    mt_sb_generate_title(&generate->random, name, sizeof name);
    chat->thread->title = mt_mem_strdup(name);
    chat->members[0] = fill->owner;
    for (size_t i = 1; i < chat->member_n; i++) {
        mt_sb_generate_name(&generate->random, (uint32_t)below(generate, 500), name, sizeof name);
        chat->members[i] = mt_sb_user_make(fill->store, name);
        if (chat->members[i] == NULL ||
            mt_sb_view_make(fill->store, chat->members[i], chat->thread) == NULL)
            return MT_ERR_NOMEM;
        chat->members[i]->registered = true;
    }
    return chat->thread->title == NULL ? MT_ERR_NOMEM : MT_OK;
}

static enum mt_rc make_chats(struct mt_sb_generate *generate)
{
    uint64_t want = generate->fill->generate_n / MESSAGES_EACH;
    if (want < CONVERSATIONS_MIN)
        want = CONVERSATIONS_MIN;
    if (want > CONVERSATIONS_MAX)
        want = CONVERSATIONS_MAX;
    generate->chats = mt_mem_calloc(want, sizeof *generate->chats);
    if (generate->chats == NULL)
        return MT_ERR_NOMEM;
    double sum = 0;
    for (uint32_t i = 0; i < want; i++) {
        struct chat *chat = &generate->chats[generate->chat_n++];
        enum mt_rc rc = i % 4 == 1 ? make_group(generate, chat, i) : make_single(generate, chat, i);
        if (rc != MT_OK)
            return rc;
        sum += 1 / pow((double)i + 1, 0.8);
        chat->weight = sum;
    }
    return MT_OK;
}

enum mt_rc mt_sb_generate_new(const struct mt_sb_fill *fill, struct mt_sb_generate **out)
{
    struct mt_sb_generate *generate = mt_mem_calloc(1, sizeof *generate);
    if (generate == NULL)
        return MT_ERR_NOMEM;
    generate->fill = fill;
    generate->random = fill->seed ^ 0x6d6f6f6e74696465U;
    generate->next_ms = INT64_MAX;
    if (fill->generate_n != 0) {
        enum mt_rc rc = make_chats(generate);
        if (rc != MT_OK) {
            mt_sb_generate_free(generate);
            return rc;
        }
        for (size_t i = 0; i < ACTIVE; i++)
            generate->active[i] = pick_chat(generate);
        advance(generate);
    }
    *out = generate;
    return MT_OK;
}

int64_t mt_sb_generate_next_ms(const struct mt_sb_generate *generate)
{
    return generate->next_ms;
}

static void key_value(struct mt_sb_wire *ext, const char *key, uint32_t type,
                      const struct mt_sb_wire *value)
{
    uint8_t room[512];
    struct mt_sb_wire kv = {.p = room, .cap = sizeof room};
    mt_sb_wire_str(&kv, 1, key);
    mt_sb_wire_varint(&kv, 2, type);
    mt_sb_wire_raw(&kv, value->p, value->len);
    if (!kv.full && !value->full)
        mt_sb_wire_bytes(ext, 5, kv.p, kv.len);
}

/* One ext entry of the given KeyValue type (1 BOOL … 8 JSON_STRING), as MessageBody.ext. */
static void make_ext(struct mt_sb_generate *generate, uint32_t type, struct mt_sb_wire *ext)
{
    static const char *const KEYS[] = {"",       "urgent", "balance", "count", "trace",
                                       "rating", "price",  "channel", "order"};
    uint8_t room[256];
    struct mt_sb_wire value = {.p = room, .cap = sizeof room};
    uint64_t random = mt_sb_random(&generate->random);
    char text[96];
    if (type == 1) {
        mt_sb_wire_varint(&value, 3, random & 1);
    } else if (type == 2) {
        mt_sb_wire_varint(&value, 3, (uint64_t)((int64_t)(random % 20001) - 10000));
    } else if (type == 3) {
        mt_sb_wire_varint(&value, 3, random & UINT32_MAX);
    } else if (type == 4) {
        mt_sb_wire_varint(&value, 3, random >> 2); /* beyond 2^53 most of the time */
    } else if (type == 5) {
        mt_sb_wire_float(&value, 4, (float)(random % 50) / 10.0F);
    } else if (type == 6) {
        mt_sb_wire_double(&value, 5, (double)(random % 1000000) / 100.0);
    } else if (type == 7) {
        mt_sb_wire_str(&value, 6, (random & 1) != 0 ? "app" : "网页");
    } else {
        (void)snprintf(text, sizeof text, "{\"id\":%u,\"tags\":[\"vip\",\"%u\"],\"note\":null}",
                       (unsigned)(random % 100000), (unsigned)(random % 7));
        mt_sb_wire_str(&value, 6, text);
    }
    key_value(ext, KEYS[type], type, &value);
}

/* displayName, remotePath, secretKey and fileLength of an attachment. */
static void attach(struct mt_sb_generate *generate, struct mt_sb_wire *w, const char *name,
                   const char *suffix)
{
    char text[512];
    uint64_t random = mt_sb_random(&generate->random);
    (void)snprintf(text, sizeof text, "%s-%u.%s", name, (unsigned)(random % 10000), suffix);
    mt_sb_wire_str(w, 6, text);
    (void)snprintf(text, sizeof text, "%s%08x-0000-11ee-8000-%012" PRIx64,
                   generate->fill->files_base, (unsigned)(random >> 32), random & 0xffffffffffff);
    mt_sb_wire_str(w, 7, text);
    (void)snprintf(text, sizeof text, "sec%016" PRIx64, random);
    mt_sb_wire_str(w, 8, text);
    mt_sb_wire_varint(w, 9, 2000 + random % 900000);
}

static void size_of(struct mt_sb_wire *w, uint32_t field, double width, double height)
{
    uint8_t room[32];
    struct mt_sb_wire size = {.p = room, .cap = sizeof room};
    mt_sb_wire_double(&size, 1, width);
    mt_sb_wire_double(&size, 2, height);
    mt_sb_wire_bytes(w, field, size.p, size.len);
}

static void make_media(struct mt_sb_generate *generate, enum mt_sb_kind kind, struct mt_sb_wire *w)
{
    mt_sb_wire_varint(w, 1, (uint64_t)kind);
    if (kind == MT_SB_IMAGE) {
        bool gif = below(generate, 10) == 0;
        attach(generate, w, "photo", gif ? "gif" : "jpg");
        size_of(w, 13, 640 + (double)below(generate, 1280), 480 + (double)below(generate, 960));
        if (gif)
            mt_sb_wire_varint(w, 22, 1);
    } else if (kind == MT_SB_VIDEO) {
        attach(generate, w, "clip", "mp4");
        mt_sb_wire_varint(w, 12, 3 + below(generate, 60));
        size_of(w, 18, 320, 180);
    } else if (kind == MT_SB_VOICE) {
        attach(generate, w, "voice", "amr");
        mt_sb_wire_varint(w, 12, 1 + below(generate, 59));
    } else {
        attach(generate, w, "报告 report", "pdf");
    }
}

static void make_other(struct mt_sb_generate *generate, enum mt_sb_kind kind, struct mt_sb_wire *w)
{
    uint8_t room[256];
    struct mt_sb_wire pair = {.p = room, .cap = sizeof room};
    if (kind == MT_SB_LOCATION) {
        mt_sb_wire_varint(w, 1, 3);
        mt_sb_wire_double(w, 3, 39.9 + (double)below(generate, 1000) / 10000);
        mt_sb_wire_double(w, 4, 116.3 + (double)below(generate, 1000) / 10000);
        mt_sb_wire_str(w, 5, "北京市海淀区 1 号");
        mt_sb_wire_str(w, 21, "Tower B");
    } else if (kind == MT_SB_COMMAND) {
        mt_sb_wire_varint(w, 1, 6);
        mt_sb_wire_str(w, 10, "typing");
    } else if (kind == MT_SB_CUSTOM) {
        mt_sb_wire_varint(w, 1, 7);
        mt_sb_wire_str(w, 19, "order_card");
        mt_sb_wire_str(&pair, 1, "order_id");
        mt_sb_wire_varint(&pair, 2, 7);
        mt_sb_wire_str(&pair, 6, "A-10023");
        mt_sb_wire_bytes(w, 20, pair.p, pair.len);
    } else {
        mt_sb_wire_varint(w, 1, 0);
        mt_sb_wire_str(w, 2, "[chat history]");
        attach(generate, w, "combine", "bin");
        mt_sb_wire_varint(w, 22, 0);
        mt_sb_wire_str(w, 23, "Chat history");
        mt_sb_wire_str(w, 24, "mia: hi\nli: 你好");
        mt_sb_wire_varint(w, 25, 1);
    }
}

static enum mt_sb_kind make_content(struct mt_sb_generate *generate, struct mt_sb_wire *w)
{
    static const struct {
        uint32_t upto; /* of 1000 */
        enum mt_sb_kind kind;
    } SHARES[] = {{830, MT_SB_TEXT},   {890, MT_SB_IMAGE},  {925, MT_SB_VOICE},
                  {945, MT_SB_FILE},   {957, MT_SB_VIDEO},  {967, MT_SB_LOCATION},
                  {990, MT_SB_CUSTOM}, {995, MT_SB_COMMAND}};
    char text[512];
    size_t draw = below(generate, 1000);
    enum mt_sb_kind kind = MT_SB_COMBINE;
    for (size_t i = 0; i < sizeof SHARES / sizeof SHARES[0]; i++) {
        if (draw < SHARES[i].upto) {
            kind = SHARES[i].kind;
            break;
        }
    }
    if (kind == MT_SB_TEXT) {
        size_t len = mt_sb_generate_text(&generate->random, text, sizeof text);
        mt_sb_wire_varint(w, 1, 0);
        mt_sb_wire_bytes(w, 2, text, len);
    } else if (kind == MT_SB_IMAGE || kind == MT_SB_VIDEO || kind == MT_SB_VOICE ||
               kind == MT_SB_FILE) {
        make_media(generate, kind, w);
    } else {
        make_other(generate, kind, w);
    }
    return kind;
}

enum mt_rc mt_sb_generate_emit(struct mt_sb_generate *generate)
{
    uint8_t content_room[2048];
    uint8_t ext_room[2048];
    struct mt_sb_wire content = {.p = content_room, .cap = sizeof content_room};
    struct mt_sb_wire ext = {.p = ext_room, .cap = sizeof ext_room};
    size_t slot = below(generate, ACTIVE);
    if (below(generate, 8) == 0)
        generate->active[slot] = pick_chat(generate);
    /* the first messages go around, so that no conversation stays empty */
    size_t at = generate->done < generate->chat_n ? (size_t)generate->done : generate->active[slot];
    const struct chat *chat = &generate->chats[at];
    enum mt_sb_kind kind = make_content(generate, &content);
    if (below(generate, 6) == 0) {
        uint32_t type = 1 + (uint32_t)below(generate, 8);
        make_ext(generate, type, &ext);
        if (below(generate, 4) == 0)
            make_ext(generate, 1 + type % 8, &ext);
    }
    bool group = chat->thread->chat == MT_SB_GROUP;
    struct mt_sb_past past = {
        .thread = chat->thread,
        .from = chat->members[below(generate, chat->member_n)],
        .ts_ms = generate->next_ms,
        .kind = kind,
        .wants_ack = group && below(generate, 40) == 0,
        .content = content.p,
        .content_len = content.len,
        .ext = ext.p,
        .ext_len = ext.len,
    };
    enum mt_rc rc = mt_sb_fill_append(generate->fill, &past);
    generate->done++;
    advance(generate);
    return rc;
}
