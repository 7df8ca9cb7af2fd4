/* One user of the soak: comes, goes, writes, and writes down what it has handled. */
#include "lib_soak.h"

#include "base/mem.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t soak_dice(struct soak *soak, uint64_t below)
{
    soak->dice ^= soak->dice << 13;
    soak->dice ^= soak->dice >> 7;
    soak->dice ^= soak->dice << 17;
    return soak->dice % below;
}

/* ---------------------------------------------------------------- receiving */

static void handle(struct user *user, const struct mt_message *message)
{
    struct soak *soak = user->soak;
    size_t i = (size_t)(user - soak->users);
    size_t n = message->text ? strtoul(message->text, NULL, 10) : SIZE_MAX;
    struct letter *letter = n < soak->letters_n ? &soak->letters[n] : NULL;
    size_t slot = letter && letter->to >= USERS ? i % GROUP_SIZE : 0;
    bool mine = letter && (letter->to >= USERS ? letter->to - USERS == (int)(i / GROUP_SIZE)
                                               : letter->to == i);

    if (!mine) {
        soak->strange_n++;
        return;
    }
    if (letter->fate == FATE_NOT_SENT)
        soak->unwanted_n++;
    if (letter->got >> slot & 1) {
        letter->again |= (uint16_t)(1u << slot);
        soak->again_same_life_n += letter->life[slot] == user->life;
        soak->again_other_life_n += letter->life[slot] != user->life;
        return;
    }
    letter->got |= (uint16_t)(1u << slot);
    letter->life[slot] = user->life;
}

static void on_batch(void *ud, struct mt_event_batch *batch)
{
    struct user *user = ud;
    struct soak *soak = user->soak;
    struct held *held = NULL;

    for (size_t i = 0; i < batch->n; i++) {
        const struct mt_event *event = &batch->events[i];
        if (event->type == MT_EVENT_MESSAGE) {
            handle(user, &event->message);
        } else if (event->type == MT_EVENT_CONNECTED) {
            user->online = true;
            soak->connects_n++;
            soak->overflows_n += mt_value_get(&event->data, "since") != NULL;
        } else if (event->type == MT_EVENT_TOKEN_EXPIRING) {
            soak->expiring_n++;
        } else {
            user->online = false;
        }
    }
    if (soak_dice(soak, 8) == 0)
        held = mt_mem_alloc(sizeof *held);
    if (held) { /* its handler takes a while */
        *held = (struct held){soak->held, user, batch};
        soak->held = held;
    } else {
        soak->provider->live->done(user->account, batch);
    }
}

/* Ends the handlers of a user, or of all; a third of those, or every one. */
static void end_handlers(struct soak *soak, const struct user *user, bool all)
{
    struct held **at = &soak->held;

    while (*at) {
        struct held *held = *at;
        if ((user && held->user != user) || (!all && soak_dice(soak, 3))) {
            at = &held->next;
            continue;
        }
        *at = held->next;
        soak->provider->live->done(held->user->account, held->batch);
        mt_mem_free(held);
        at = &soak->held; /* done may have handed out another */
    }
}

void soak_hands(void *ud)
{
    end_handlers(ud, NULL, false);
}

/* ---------------------------------------------------------------- coming and going */

static void on_away(void *ud)
{
    struct user *user = ud;

    if (!user->account && !soak_user_open(user->soak, (size_t)(user - user->soak->users)))
        abort();
    if (!soak_user_start(user))
        abort();
}

/* Kicked, or its login was refused for a while: whoever runs it starts it again. */
static void on_ended(void *ud, const struct mt_fault *fault)
{
    struct user *user = ud;

    (void)fault;
    user->online = false;
    user->live = false;
    mt_timer_start(user->away, 1000 + (int64_t)soak_dice(user->soak, 60000), 0);
}

bool soak_user_open(struct soak *soak, size_t i)
{
    struct user *user = &soak->users[i];
    char name[16];
    struct mt_fault fault;

    snprintf(name, sizeof name, "u%zu", i);
    struct mt_secret *secret = mt_secret_new("secret", 6);
    struct mt_account_config config = {.name = name,
                                       .provider = "easemob",
                                       .appkey = "sandbox#demo",
                                       .user = name,
                                       .password = secret,
                                       .rest = soak->rest,
                                       .websocket = soak->websocket,
                                       .rate_per_s = -1};
    user->soak = soak;
    enum mt_rc rc = soak->provider->open(soak->loop, soak->http, &config, &user->account, &fault);
    mt_secret_free(secret);
    return !rc && (user->away || !mt_timer_new(soak->loop, on_away, user, &user->away));
}

bool soak_user_start(struct user *user)
{
    static const struct mt_live_handlers handlers = {on_batch, on_ended};
    struct mt_live_options options = {.ws = user->soak->ws};
    struct mt_fault fault;

    end_handlers(user->soak, user, true);
    user->soak->provider->live->stop(user->account);
    user->life++;
    user->live = true;
    return !user->soak->provider->live->start(user->account, &options, &handlers, user, &fault);
}

void soak_user_leave(struct user *user, int64_t ms, bool reopen)
{
    struct soak *soak = user->soak;

    soak->leaves_n++;
    user->online = false;
    user->live = false;
    soak->provider->live->stop(user->account);
    end_handlers(soak, user, true); /* too late to be acknowledged */
    if (reopen) {
        soak->reopens_n++;
        soak->provider->close(user->account);
        user->account = NULL;
    }
    mt_timer_start(user->away, ms, 0);
}

/* ---------------------------------------------------------------- writing */

struct sending {
    struct soak *soak;
    size_t n;
};

static void on_sent(void *ud, enum mt_rc rc, const struct mt_sent *sent,
                    const struct mt_fault *fault)
{
    struct sending *sending = ud;
    struct letter *letter = &sending->soak->letters[sending->n];

    (void)sent;
    sending->soak->pending_n--;
    if (!rc)
        letter->fate = FATE_SENT;
    else if (rc == MT_ERR_CANCELLED || !strcmp(fault->code, "send.unknown"))
        letter->fate = FATE_UNKNOWN;
    else
        letter->fate = FATE_NOT_SENT;
    if (letter->fate == FATE_NOT_SENT && letter->got)
        sending->soak->unwanted_n++;
    mt_mem_free(sending);
}

void soak_user_write(struct user *user)
{
    struct soak *soak = user->soak;
    size_t i = (size_t)(user - soak->users);
    bool to_group = soak_dice(soak, 10) == 0;
    size_t to = to_group ? USERS + i / GROUP_SIZE : (i + 1 + soak_dice(soak, 20)) % USERS;
    struct sending *sending = mt_mem_alloc(sizeof *sending);
    struct mt_provider_call *call = NULL;
    char text[32];
    struct mt_outgoing message = {
        .to = {.kind = to_group ? MT_CONVERSATION_GROUP : MT_CONVERSATION_SINGLE},
        .kind = MT_MESSAGE_TEXT,
        .text = text,
        .body = {.type = MT_VALUE_MAP}};

    if (!sending || soak->letters_n == soak->letters_max) {
        mt_mem_free(sending);
        return;
    }
    *sending = (struct sending){soak, soak->letters_n++};
    soak->letters[sending->n] = (struct letter){.from = (uint16_t)i, .to = (uint16_t)to};
    snprintf(message.to.target, sizeof message.to.target, "%s%zu", to_group ? "90000" : "u",
             to_group ? to - USERS + 100 : to);
    message.text_len = (size_t)snprintf(text, sizeof text, "%zu", sending->n);
    soak->pending_n++;
    if (soak->provider->live->send(user->account, &message, on_sent, sending, &call))
        abort(); /* memory */
}
