/* Which topic is answered by what (rongcloud.md 3). */
#include "sandbox/rongcloud/cloud_int.h"

#include "codec/gzip.h"
#include "sandbox/rongcloud/pb_int.h"

#include <string.h>

struct topic {
    const char *name;
    void (*run)(struct mt_sr_ask *ask);
};

static const struct topic TOPICS[] = {
    {"qAppBot", mt_sr_do_app_bot},
    {"pullUS", mt_sr_do_pull_settings},
    {"reportsdk", mt_sr_do_report},
    {"pullSeAtts", mt_sr_do_pull_states},
    {"setSeAtt", mt_sr_do_set_states},
    {"setTypeUnpush", mt_sr_do_set_type},
    {"ppMsgP", mt_sr_do_send},
    {"pgMsgP", mt_sr_do_send},
    {"pbMsgP", mt_sr_do_send},
    {"pcMsgP", mt_sr_do_send},
    {"ppMsgS", mt_sr_do_send_status},
    {"pgMsgS", mt_sr_do_send_status},
    {"recallMsg", mt_sr_do_recall},
    {"pullMsg", mt_sr_do_pull},
    {"qryPMsg", mt_sr_do_history},
    {"qryGMsg", mt_sr_do_history},
    {"qryCMsg", mt_sr_do_history},
    {"qrySMsg", mt_sr_do_history},
    {"qryMCMsg", mt_sr_do_history},
    {"qryMPMsg", mt_sr_do_history},
    {"qryUgMsg", mt_sr_do_history},
    {"qryMsg", mt_sr_do_by_uid},
    {"delMsg", mt_sr_do_delete},
    {"delUgMsg", mt_sr_do_delete},
    {"cleanPMsg", mt_sr_do_clean},
    {"cleanGMsg", mt_sr_do_clean},
    {"cleanCMsg", mt_sr_do_clean},
    {"cleanSMsg", mt_sr_do_clean},
    {"cleanMCMsg", mt_sr_do_clean},
    {"cleanMPMsg", mt_sr_do_clean},
    {"cleanMsgBatch", mt_sr_do_clean_batch},
    {"qryRelationR", mt_sr_do_list},
    {"qryRelation", mt_sr_do_list},
    {"qryRLBatch", mt_sr_do_list_batch},
    {"delRelationBatch", mt_sr_do_remove},
    {"ugMsg", mt_sr_do_send},
    {"pullUgSes", mt_sr_do_pull_ultra_list},
    {"pullUgMsg", mt_sr_do_pull_ultra},
    {"qryMsgChange", mt_sr_do_pull_changes},
    {"updRTime", mt_sr_do_read_time},
    {"updRRTime", mt_sr_do_read_time},
    {"updUgRTime", mt_sr_do_read_time},
    {"pullSe", mt_sr_do_pull_unread},
    {"modifyMsg", mt_sr_do_modify},
    {"upMsgEx", mt_sr_do_expand},
    {"rrMsg", mt_sr_do_group_read},
    {"rrList", mt_sr_do_group_readers},
    {"sendMsgRead", mt_sr_do_read_state},
    {"qryMsgRead", mt_sr_do_read_query},
    {"qryMsgReadCntBatch", mt_sr_do_read_counts},
    {"readReceipt", mt_sr_do_receipt},
    {"qryReceiptBatch", mt_sr_do_receipt_counts},
    {"qryReceipt", mt_sr_do_receipt_users},
    {"qnTkn", mt_sr_do_upload_token},
    {"qnUrl", mt_sr_do_download_url},
    {"aliUrl", mt_sr_do_download_url},
    {"s3Url", mt_sr_do_download_url},
    {"stcUrl", mt_sr_do_download_url},
    {"minioUrl", mt_sr_do_download_url},
    {"addUnpush", mt_sr_do_quiet},
    {"delUnpush", mt_sr_do_quiet},
    {"qryUnpush", mt_sr_do_quiet},
    {"qrySessions", mt_sr_do_list},
    {"qrySessionsAtt", mt_sr_do_sessions_total},
    {"qrySessionsUnread", mt_sr_do_sessions_unread},
    {"delSessions", mt_sr_do_sessions_delete},
    {"qryRelationFilter", mt_sr_do_list_filtered},
    {"ugUnpushSet", mt_sr_do_ultra_level},
    {"ugUnpushQuery", mt_sr_do_ultra_level},
    {"qryUgUal", mt_sr_do_ultra_mentions},
    {"joinChrm", mt_sr_do_room_join},
    {"joinChrmR", mt_sr_do_room_join},
    {"exitChrm", mt_sr_do_room_leave},
    {"chatMsg", mt_sr_do_room_send},
    {"chrmPull", mt_sr_do_room_pull},
    {"qryCHMsg", mt_sr_do_room_history},
    {"pullEventChange", mt_sr_do_pull_events},
    {"pullModifyMsg", mt_sr_do_pull_edits},
};

void mt_sr_topic_run(struct mt_sr_ask *ask)
{
    for (size_t i = 0; i < sizeof TOPICS / sizeof TOPICS[0]; i++) {
        if (strcmp(TOPICS[i].name, ask->topic) == 0) {
            TOPICS[i].run(ask);
            return;
        }
    }
    ask->status = MT_SR_UNSUPPORTED;
}

int mt_sr_topic_type(const char *topic)
{
    static const struct {
        const char *name;
        int type;
    } TYPES[] = {
        {"pp", MT_SR_PRIVATE},          {"pg", MT_SR_GROUP},
        {"pb", MT_SR_SYSTEM},           {"pc", MT_SR_SERVICE},
        {"chat", MT_SR_ROOM},           {"ug", MT_SR_ULTRA},
        {"qryPMsg", MT_SR_PRIVATE},     {"qryGMsg", MT_SR_GROUP},
        {"qryCMsg", MT_SR_SERVICE},     {"qrySMsg", MT_SR_SYSTEM},
        {"qryMCMsg", MT_SR_APP_PUBLIC}, {"qryMPMsg", MT_SR_PUBLIC},
        {"qryUgMsg", MT_SR_ULTRA},      {"cleanPMsg", MT_SR_PRIVATE},
        {"cleanGMsg", MT_SR_GROUP},     {"cleanCMsg", MT_SR_SERVICE},
        {"cleanSMsg", MT_SR_SYSTEM},    {"cleanMCMsg", MT_SR_APP_PUBLIC},
        {"cleanMPMsg", MT_SR_PUBLIC},
    };
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (strncmp(TYPES[i].name, topic, strlen(TYPES[i].name)) == 0)
            return TYPES[i].type;
    }
    return 0;
}

void mt_sr_answer_inner(struct mt_sr_ask *ask, bool asked, uint32_t flag, uint32_t bytes)
{
    struct mt_buf *inner = &ask->cloud->inner;
    struct mt_buf *packed = &ask->cloud->scratch;
    int64_t gzip = ask->cloud->options.gzip;
    mt_buf_reset(packed);
    if (asked && inner->failed == MT_OK && (gzip > 1 || (gzip > 0 && inner->len >= 512)) &&
        mt_gzip_deflate(inner->data, inner->len, packed, NULL) == MT_OK) {
        mt_sr_pb_u64(ask->out, flag, 1);
        mt_sr_pb_bytes(ask->out, bytes, packed->data, packed->len);
        return;
    }
    mt_buf_reset(ask->out);
    if (inner->failed != MT_OK)
        ask->status = MT_SR_SERVER;
    else
        (void)mt_buf_append(ask->out, inner->data, inner->len);
}

/* No robots, no user settings of its own: what a client asks at once after it has connected. */
void mt_sr_do_app_bot(struct mt_sr_ask *ask)
{
    (void)ask;
}

void mt_sr_do_report(struct mt_sr_ask *ask)
{
    (void)ask;
}

void mt_sr_do_pull_settings(struct mt_sr_ask *ask)
{
    Rongcloud__PullUserSettingInput *in =
        rongcloud__pull_user_setting_input__unpack(NULL, ask->len, ask->p);
    if (in == NULL) {
        ask->status = MT_SR_PARAMETER;
        return;
    }
    mt_sr_pb_i64(ask->out, 2, in->version);
    rongcloud__pull_user_setting_input__free_unpacked(in, NULL);
}
