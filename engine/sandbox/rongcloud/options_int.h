/* Private to the RongCloud side. What the navigation announces, limits, and this cloud's own
 * faults: one text of comma-separated key=value (docs/sandbox.md lists them). */
#ifndef MT_SANDBOX_RONGCLOUD_OPTIONS_INT_H
#define MT_SANDBOX_RONGCLOUD_OPTIONS_INT_H

#include "base/rc.h"

#include <stdint.h>

struct mt_sr_options {
    char *spec;
    /* the navigation's answer (rongcloud.md 1.2); < 0: the field is left out */
    int64_t open_history_msg;
    int64_t open_anti;
    int64_t ses_driven;
    int64_t server_save_unread;
    int64_t recall_refactor;
    int64_t receipts; /* grpRRVer */
    int64_t ultra;    /* ugMsg */
    int64_t session_cfg;
    int64_t ultra_driven;
    int64_t session_mode;
    int64_t baggage;
    int64_t private_cloud; /* type */
    int64_t modify_minutes;
    int64_t navi_v1;    /* server and backupServer instead of serverAddr */
    int64_t navi_dead;  /* so many addresses that refuse stand before the right one */
    int64_t navi_empty; /* no address at all */
    /* limits */
    int64_t page;    /* messages in the answer to one pullMsg */
    int64_t offline; /* messages that wait for a user who was away */
    int64_t offline_ms;
    int64_t list_cap;
    int64_t recall_ms;
    int64_t max_message;
    int64_t rate; /* messages a second that one app may send; 0: no limit */
    int64_t single_device;
    int64_t gzip;
    int64_t token_ttl_ms;
    /* faults */
    int64_t no_roaming;
    int64_t navi_status;
    int64_t navi_code;
    int64_t connack;
    int64_t connack_times; /* so often, then 0 again; 0: for ever */
    int64_t notice_twice;
    int64_t pull_twice;
    int64_t no_connack;
    int64_t no_pong;
    char *refuse; /* TOPIC:STATUS[:TIMES], by '|' */
};

/* Replaces the contents; on failure they stay as they were. INVALID names the key, and the nearest
 * known one. */
enum mt_rc mt_sr_options_parse(struct mt_sr_options *options, const char *spec,
                               struct mt_fault *fault) MT_CHECKED;
void mt_sr_options_deinit(struct mt_sr_options *options);
/* The status that a topic is refused with, 0 if it is not; counts down. */
uint16_t mt_sr_options_refusal(struct mt_sr_options *options, const char *topic);

#endif
