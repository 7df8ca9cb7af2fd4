/* What a cloud offers beyond reading: a live session, sending, receipts, deletion. A provider that
 * has it points to one of these tables. Conventions as in provider.h: a verb returns at once, done
 * is called exactly once later on the loop's thread, results live until done returns. */
#ifndef MT_PROVIDER_LIVE_H
#define MT_PROVIDER_LIVE_H

#include "model/event.h"
#include "provider/provider.h"

struct mt_arena;
struct mt_buf;
struct mt_ws_client;

/* ---------------------------------------------------------------- the session */

struct mt_live_options {
    struct mt_ws_client *ws; /* shared by all accounts of the process */
    int64_t last_ms; /* until when an earlier process dealt with the events of this device; 0: not
                        known */
    const char *position;     /* what mt_provider_live.position said to an earlier process of this
                                 device; NULL: not known */
    const char *const *known; /* ids of messages that it dealt with or sent last, oldest first;
                                 live as long as the call */
    size_t known_n;
};

#define MT_LIVE_POSITION_MAX 128 /* with NUL */

/* Events that came together, in the cloud's order. They and their strings live until done. */
struct mt_event_batch {
    const struct mt_event *events;
    size_t n;
};

struct mt_live_handlers {
    /* Never from inside a function of the provider. The cloud is told that it was received only
     * after mt_provider_live.done: what was not done when the process died comes again. */
    void (*batch)(void *ud, struct mt_event_batch *batch);
    /* The session has ended for good (KICKED, or ERROR with data.ended, was in a batch before). */
    void (*ended)(void *ud, const struct mt_fault *fault);
};

/* ---------------------------------------------------------------- sending */

struct mt_outgoing {
    struct mt_conversation_ref to;
    enum mt_message_kind kind;
    const char *text; /* TEXT and COMBINE */
    size_t text_len;
    struct mt_value body;    /* MAP with the keys of docs/messages.md for the kind; attachments are
                                uploaded before and stand here as remote_path, secret, … */
    struct mt_value ext;     /* MAP, or NULL type: none */
    const char *const *only; /* directed to these members of a group or room; NULL: to all */
    const char *device;      /* single: to this device only; NULL: all */
    bool online_only;        /* not kept for who is offline */
    bool wants_receipts;     /* group: ask for read receipts */
    int priority;            /* rooms: 0 high, 1 normal, 2 low */
};

struct mt_sent {
    const char *id; /* the cloud's, for receipts, recall and history */
    int64_t time_ms;
    struct mt_value data; /* what else the cloud answered: of an edit */
};

/* What refers to an earlier message or conversation. */
enum mt_reference_type {
    MT_REFER_READ,         /* the message was read; content: what a group's reader adds, or NULL */
    MT_REFER_DELIVERED,    /* the message arrived */
    MT_REFER_CONVERSATION, /* the conversation was read: its unread count becomes 0 */
    MT_REFER_RECALL,       /* the message is taken back; content: told to the others, or NULL */
    MT_REFER_EDIT,         /* the message gets new content: edit */
    MT_REFER_JOIN,         /* the chat room is entered, and again after each absence */
    MT_REFER_LEAVE,        /* the chat room is left */
};

struct mt_reference {
    enum mt_reference_type type;
    struct mt_conversation_ref conversation;
    struct mt_message_key message;
    const char *content; /* NULL: none */
    const struct mt_outgoing *edit;
};

typedef void mt_sent_fn(void *ud, enum mt_rc rc, const struct mt_sent *sent,
                        const struct mt_fault *fault);
typedef void mt_done_fn(void *ud, enum mt_rc rc, const struct mt_fault *fault);

/* ---------------------------------------------------------------- who has read a message */

struct mt_reader_of {
    const char *user;
    int64_t time_ms; /* 0: the cloud does not say */
};

struct mt_readers_page {
    const struct mt_reader_of *items;
    size_t n;
    int64_t total;      /* who has read it so far, on all pages; -1: the cloud does not say */
    const char *cursor; /* NULL at the end */
};

typedef void mt_readers_fn(void *ud, enum mt_rc rc, const struct mt_readers_page *page,
                           const struct mt_fault *fault);

/* ---------------------------------------------------------------- attachments */

/* Bytes from a file, or (path NULL) from memory. Everything is copied. */
struct mt_upload {
    const char *path;
    const void *data;
    size_t len;
    const char *filename;                  /* NULL: the last part of path */
    int thumbnail_width, thumbnail_height; /* of the thumbnail that the cloud makes; 0: its own */
};

struct mt_download {
    const struct mt_value *body; /* of a message: remote_path or url, secret, size_bytes */
    const char *path;            /* of the new file */
    bool thumbnail;              /* that instead */
    bool any_size;               /* also when it has not the size that the message says */
    int64_t max_bytes;           /* 0: 4 GiB */
};

struct mt_downloaded {
    int64_t bytes;
    const char *sha256; /* of the file, 64 hexadecimal digits */
};

typedef void mt_progress_fn(void *ud, int64_t done_bytes, int64_t total_bytes);
typedef void mt_downloaded_fn(void *ud, enum mt_rc rc, const struct mt_downloaded *downloaded,
                              const struct mt_fault *fault);

/* ---------------------------------------------------------------- the table */

struct mt_provider_live {
    /* The name under which the account logs in among the user's devices, as configured. */
    const char *(*device)(const struct mt_provider_account *account);
    /* Makes the account live and keeps it so until stop, or until the cloud ends it. One at a time:
     * MT_ERR_STATE otherwise. */
    enum mt_rc (*start)(struct mt_provider_account *account, const struct mt_live_options *options,
                        const struct mt_live_handlers *handlers, void *ud, struct mt_fault *fault);
    /* Says goodbye and closes; no handler is called any more. Sends in progress end cancelled. */
    void (*stop)(struct mt_provider_account *account);
    /* The batch was dealt with: the cloud may forget it. Its memory is gone. */
    void (*done)(struct mt_provider_account *account, struct mt_event_batch *batch);
    /* Until where all events were dealt with, in the cloud's own words, for the next process; ""
     * when there is nothing to say. Returns the length. NULL: the cloud itself remembers it. */
    size_t (*position)(const struct mt_provider_account *account, char *out, size_t cap);

    /* Faults of sending and referring: the codes of easemob.md §3.5 as fault.code "send.blocked",
     * "send.muted", …, with the SDK's number as provider_code. A lost answer: MT_ERR_UNKNOWN
     * "send.unknown": it may have been sent, and is never sent again by itself. Needs a live
     * session, and waits for one that is being made. */
    enum mt_rc (*send)(struct mt_provider_account *account, const struct mt_outgoing *message,
                       mt_sent_fn *done, void *ud, struct mt_provider_call **out);
    enum mt_rc (*refer)(struct mt_provider_account *account, const struct mt_reference *reference,
                        mt_sent_fn *done, void *ud, struct mt_provider_call **out);

    /* From the own view of the server's history, one-way: others keep theirs. At most delete_max
     * messages a call, each with an id, and completed by locate where there is one. Those that are
     * not there are no fault: the cloud does not tell. */
    unsigned delete_max;
    enum mt_rc (*delete_ids)(struct mt_provider_account *account,
                             const struct mt_conversation_ref *conversation,
                             const struct mt_message_key *messages, size_t n, mt_done_fn *done,
                             void *ud, struct mt_provider_call **out);
    /* Where the id alone does not name a message to the cloud: completes a key of which only the id
     * is known, from what this account has seen lately. False: it has not. NULL: ids are enough. */
    bool (*locate)(const struct mt_provider_account *account, struct mt_message_key *message);
    /* Whatever the cloud received before that time; 0 < before_ms. */
    enum mt_rc (*delete_before)(struct mt_provider_account *account,
                                const struct mt_conversation_ref *conversation, int64_t before_ms,
                                mt_done_fn *done, void *ud, struct mt_provider_call **out);
    /* The conversation leaves the list; history: its messages too, those that came meanwhile
     * included. Never repeated by itself: a lost answer is "delete.unknown". */
    enum mt_rc (*delete_conversation)(struct mt_provider_account *account,
                                      const struct mt_conversation_ref *conversation, bool history,
                                      mt_done_fn *done, void *ud, struct mt_provider_call **out);
    /* Every conversation and every message of the user. As delete_conversation. */
    enum mt_rc (*delete_all)(struct mt_provider_account *account, mt_done_fn *done, void *ud,
                             struct mt_provider_call **out);
    enum mt_rc (*pin)(struct mt_provider_account *account,
                      const struct mt_conversation_ref *conversation, bool pinned, mt_done_fn *done,
                      void *ud, struct mt_provider_call **out);
    /* Sets or takes away one of the marks 0 to 19 that an app gives its own meanings. */
    enum mt_rc (*mark)(struct mt_provider_account *account,
                       const struct mt_conversation_ref *conversation, int mark, bool on,
                       mt_done_fn *done, void *ud, struct mt_provider_call **out);
    /* Of which messages of the conversation the user is told, on all devices. NULL: UNSUPPORTED. */
    enum mt_rc (*set_notification)(struct mt_provider_account *account,
                                   const struct mt_conversation_ref *conversation,
                                   enum mt_notification level, mt_done_fn *done, void *ud,
                                   struct mt_provider_call **out);
    /* Who has read a group's message that asked for receipts. cursor NULL: from the start; limit 0:
     * the largest page. */
    enum mt_rc (*readers)(struct mt_provider_account *account,
                          const struct mt_conversation_ref *group,
                          const struct mt_message_key *message, const char *cursor, int limit,
                          mt_readers_fn *done, void *ud, struct mt_provider_call **out);
    /* Uploads for a conversation and puts remote_path, secret, filename and size_bytes into
     * attachment (a MAP in arena). Faults: file.missing, file.empty, file.kind, file.changed,
     * upload.too_large. progress may be NULL; it counts what was sent. */
    enum mt_rc (*upload)(struct mt_provider_account *account,
                         const struct mt_conversation_ref *conversation,
                         const struct mt_upload *what, struct mt_arena *arena,
                         struct mt_value *attachment, mt_progress_fn *progress, mt_done_fn *done,
                         void *ud, struct mt_provider_call **out);
    /* Fetches what a message's body names into a new file, which is there, whole and durable, when
     * done says MT_OK, and is not there otherwise. Faults: download.expired, download.forbidden,
     * download.gone, download.foreign (not in the cloud's own storage), download.none (the body
     * names nothing), download.size, file.exists. */
    enum mt_rc (*download)(struct mt_provider_account *account, const struct mt_download *what,
                           mt_progress_fn *progress, mt_downloaded_fn *done, void *ud,
                           struct mt_provider_call **out);
    /* The file of a COMBINE message, made of the cloud's own bytes of messages (mt_message.raw);
     * level is how deeply combined messages are nested then. LIMIT "combine.too_many",
     * "combine.too_deep"; INVALID "combine.raw". Does not wait. */
    enum mt_rc (*combine)(struct mt_provider_account *account,
                          const struct mt_message *const *messages, size_t n, struct mt_buf *out,
                          int *level, struct mt_fault *fault);
};

#endif
