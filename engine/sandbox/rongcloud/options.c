#include "sandbox/rongcloud/options_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/time.h"

#include <stddef.h>
#include <string.h>

#define SPEC_MAX ((size_t)4096)
#define DAY_MS   ((int64_t)24 * 60 * 60 * 1000)

enum type { NUMBER, DURATION, TEXT };

struct key {
    const char *name;
    enum type type;
    size_t offset;
};

#define AT(member) offsetof(struct mt_sr_options, member)

/* The navigation's fields keep their own names. */
static const struct key KEYS[] = {
    {"openHistoryMsg", NUMBER, AT(open_history_msg)},
    {"openAnti", NUMBER, AT(open_anti)},
    {"sesDriven", NUMBER, AT(ses_driven)},
    {"serverSaveUnread", NUMBER, AT(server_save_unread)},
    {"supportRecallRefactor", NUMBER, AT(recall_refactor)},
    {"grpRRVer", NUMBER, AT(receipts)},
    {"ugMsg", NUMBER, AT(ultra)},
    {"sessionCfg", NUMBER, AT(session_cfg)},
    {"ugDriven", NUMBER, AT(ultra_driven)},
    {"sessionMode", NUMBER, AT(session_mode)},
    {"baggageEnabled", NUMBER, AT(baggage)},
    {"type", NUMBER, AT(private_cloud)},
    {"msgModifyMinute", NUMBER, AT(modify_minutes)},
    {"navi_v1", NUMBER, AT(navi_v1)},
    {"navi_dead", NUMBER, AT(navi_dead)},
    {"navi_empty", NUMBER, AT(navi_empty)},
    {"navi_status", NUMBER, AT(navi_status)},
    {"navi_code", NUMBER, AT(navi_code)},
    {"page", NUMBER, AT(page)},
    {"offline", NUMBER, AT(offline)},
    {"offline_age", DURATION, AT(offline_ms)},
    {"list_cap", NUMBER, AT(list_cap)},
    {"recall_limit", DURATION, AT(recall_ms)},
    {"max_message", NUMBER, AT(max_message)},
    {"rate", NUMBER, AT(rate)},
    {"single_device", NUMBER, AT(single_device)},
    {"gzip", NUMBER, AT(gzip)},
    {"token_ttl", DURATION, AT(token_ttl_ms)},
    {"no_roaming", NUMBER, AT(no_roaming)},
    {"connack", NUMBER, AT(connack)},
    {"connack_times", NUMBER, AT(connack_times)},
    {"no_connack", NUMBER, AT(no_connack)},
    {"no_pong", NUMBER, AT(no_pong)},
    {"notice_twice", NUMBER, AT(notice_twice)},
    {"pull_twice", NUMBER, AT(pull_twice)},
    {"refuse", TEXT, AT(refuse)},
};

#define KEY_N (sizeof KEYS / sizeof KEYS[0])

static struct mt_sr_options defaults(void)
{
    return (struct mt_sr_options){
        .open_history_msg = -1,
        .page = 100,
        .offline = 10000,
        .offline_ms = 7 * DAY_MS,
        .list_cap = 1000,
        .recall_ms = 120000,
        .max_message = 131072,
        .modify_minutes = -1,
        .gzip = 1,
        .token_ttl_ms = 0,
    };
}

static bool set_key(struct mt_sr_options *options, const struct key *key, const char *value)
{
    char *place = (char *)options + key->offset;
    int64_t n = 1;
    if (key->type == TEXT) {
        char *old = NULL;
        char *copy = mt_mem_strdup(value);
        memcpy(&old, place, sizeof old);
        mt_mem_free(old);
        memcpy(place, &copy, sizeof copy);
        return copy != NULL;
    }
    if (key->type == DURATION) {
        if (mt_duration_parse(value, &n, NULL) != MT_OK || n <= 0)
            return false;
    } else if (value[0] != '\0' && (!mt_str_i64(value, &n) || n < -1 || n > INT32_MAX)) {
        return false;
    }
    memcpy(place, &n, sizeof n);
    return true;
}

static enum mt_rc set_named(struct mt_sr_options *options, const char *name, const char *value,
                            struct mt_fault *fault)
{
    const char *names[KEY_N] = {0};
    for (size_t i = 0; i < KEY_N; i++) {
        names[i] = KEYS[i].name;
        if (strcmp(KEYS[i].name, name) != 0)
            continue;
        if (set_key(options, &KEYS[i], value))
            return MT_OK;
        return mt_fault_set(fault, MT_ERR_INVALID, "sandbox.rongcloud_value",
                            "%s cannot take the value \"%.60s\"", name, value);
    }
    const char *near = mt_str_nearest(name, names, KEY_N);
    return mt_fault_set(fault, MT_ERR_INVALID, "sandbox.rongcloud_unknown",
                        "RongCloud's side knows no \"%.40s\"%s%s%s; docs/sandbox.md lists them",
                        name, near == NULL ? "" : ", did you mean \"", near == NULL ? "" : near,
                        near == NULL ? "" : "\"");
}

enum mt_rc mt_sr_options_parse(struct mt_sr_options *options, const char *spec,
                               struct mt_fault *fault)
{
    struct mt_sr_options fresh = defaults();
    enum mt_rc rc = MT_OK;
    char *text = NULL;
    if (strlen(spec) > SPEC_MAX)
        return mt_fault_set(fault, MT_ERR_LIMIT, "sandbox.rongcloud_long",
                            "the text is longer than %zu bytes", SPEC_MAX);
    text = mt_mem_strdup(spec);
    fresh.spec = mt_mem_strdup(spec);
    if (text == NULL || fresh.spec == NULL) {
        rc = mt_fault_set(fault, MT_ERR_NOMEM, "memory", "memory is short");
        goto out;
    }
    for (char *rest = text; rest != NULL && *rest != '\0';) {
        char *item = rest;
        rest = strchr(rest, ',');
        if (rest != NULL)
            *rest++ = '\0';
        item += strspn(item, " \r\n");
        item[strcspn(item, " \r\n")] = '\0';
        if (*item == '\0')
            continue;
        char *value = strchr(item, '=');
        if (value != NULL)
            *value++ = '\0';
        rc = set_named(&fresh, item, value == NULL ? "" : value, fault);
        if (rc != MT_OK)
            goto out;
    }
    mt_sr_options_deinit(options);
    *options = fresh;
    fresh = (struct mt_sr_options){0};
out:
    mt_sr_options_deinit(&fresh);
    mt_mem_free(text);
    return rc;
}

void mt_sr_options_deinit(struct mt_sr_options *options)
{
    mt_mem_free(options->spec);
    mt_mem_free(options->refuse);
    *options = (struct mt_sr_options){0};
}

/* "qryPMsg:33007|ppMsgP:405:2": the times are counted down in the text itself. */
uint16_t mt_sr_options_refusal(struct mt_sr_options *options, const char *topic)
{
    size_t len = strlen(topic);
    for (char *at = options->refuse; at != NULL; at = strchr(at, '|')) {
        at += *at == '|' ? 1 : 0;
        if (strncmp(at, topic, len) != 0 || at[len] != ':')
            continue;
        uint32_t status = 0;
        char *digit = at + len + 1;
        for (; *digit >= '0' && *digit <= '9'; digit++)
            status = status * 10 + (uint32_t)(*digit - '0');
        if (*digit != ':')
            return (uint16_t)status;
        if (digit[1] < '1' || digit[1] > '9')
            continue; /* used up */
        digit[1]--;
        return (uint16_t)status;
    }
    return 0;
}
