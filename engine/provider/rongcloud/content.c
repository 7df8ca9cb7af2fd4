/* The object names that the cloud and its SDK define (rongcloud.md 4.5): kind, whether they are
 * kept and counted, and what their members are called here. */
#include "provider/rongcloud/content_int.h"

#include "base/str.h"

#include <string.h>

#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, MT_RONG_ANY                                                                    \
    }

static const struct mt_rong_member text[] = {{"content", NULL, MT_RONG_TEXT}, END};

static const struct mt_rong_member reference[] = {{"content", NULL, MT_RONG_TEXT}, END};

static const struct mt_rong_member image[] = {{"content", "thumbnail_base64", MT_RONG_REQUIRED},
                                              {"imageUri", NULL, MT_RONG_URL},
                                              {"name", "filename", MT_RONG_STR},
                                              {"size", "size_bytes", MT_RONG_WHOLE},
                                              {"width", "width", MT_RONG_NUMBER},
                                              {"height", "height", MT_RONG_NUMBER},
                                              END};

static const struct mt_rong_member gif[] = {
    {"remoteUrl", NULL, MT_RONG_URL},   {"gifDataSize", "size_bytes", MT_RONG_WHOLE},
    {"width", "width", MT_RONG_NUMBER}, {"height", "height", MT_RONG_NUMBER},
    {"name", "filename", MT_RONG_STR},  END};

static const struct mt_rong_member voice[] = {
    {"content", "data_base64", MT_RONG_REQUIRED}, {"duration", "duration_s", MT_RONG_WHOLE}, END};

static const struct mt_rong_member hq_voice[] = {
    {"remoteUrl", NULL, MT_RONG_URL},   {"duration", "duration_s", MT_RONG_WHOLE},
    {"name", "filename", MT_RONG_STR},  {"size", "size_bytes", MT_RONG_WHOLE},
    {"type", "file_type", MT_RONG_STR}, END};

static const struct mt_rong_member sight[] = {
    {"sightUrl", NULL, MT_RONG_URL},           {"content", "thumbnail_base64", MT_RONG_REQUIRED},
    {"duration", "duration_s", MT_RONG_WHOLE}, {"size", "size_bytes", MT_RONG_WHOLE},
    {"name", "filename", MT_RONG_STR},         {"width", "width", MT_RONG_NUMBER},
    {"height", "height", MT_RONG_NUMBER},      END};

static const struct mt_rong_member file[] = {{"name", "filename", MT_RONG_STR},
                                             {"size", "size_bytes", MT_RONG_WHOLE},
                                             {"type", "file_type", MT_RONG_STR},
                                             {"fileUrl", NULL, MT_RONG_URL},
                                             END};

static const struct mt_rong_member location[] = {
    {"longitude", "longitude", MT_RONG_NUMBER}, {"latitude", "latitude", MT_RONG_NUMBER},
    {"poi", "address", MT_RONG_REQUIRED},       {"content", "thumbnail_base64", MT_RONG_REQUIRED},
    {"building", "building", MT_RONG_STR},      END};

static const struct mt_rong_member rich[] = {{"title", "title", MT_RONG_STR},
                                             {"content", NULL, MT_RONG_TEXT},
                                             {"imageUri", "image_url", MT_RONG_STR},
                                             {"url", "link", MT_RONG_STR},
                                             END};

static const struct mt_rong_member combine[] = {
    {"remoteUrl", NULL, MT_RONG_URL},
    {"nameList", "names", MT_RONG_ANY},
    {"summaryList", "summaries", MT_RONG_ANY},
    {"conversationType", "conversation_type", MT_RONG_WHOLE},
    {"title", "title", MT_RONG_STR},
    {"name", "filename", MT_RONG_STR},
    {"size", "size_bytes", MT_RONG_WHOLE},
    END};

static const struct mt_rong_member command[] = {
    {"name", "action", MT_RONG_REQUIRED}, {"data", "data", MT_RONG_ANY}, END};

static const struct mt_rong_member notice[] = {{"message", NULL, MT_RONG_TEXT}, END};

static const struct mt_rong_member group_notice[] = {{"operatorUserId", "operator", MT_RONG_STR},
                                                     {"operation", "operation", MT_RONG_STR},
                                                     {"data", "data", MT_RONG_ANY},
                                                     {"message", NULL, MT_RONG_TEXT},
                                                     END};

static const struct mt_rong_member contact_notice[] = {{"operation", "operation", MT_RONG_STR},
                                                       {"sourceUserId", "operator", MT_RONG_STR},
                                                       {"message", NULL, MT_RONG_TEXT},
                                                       END};

static const struct mt_rong_member recall[] = {
    {"messageUId", NULL, MT_RONG_TARGET},
    {"conversationType", "conversation_type", MT_RONG_WHOLE},
    {"targetId", "conversation_id", MT_RONG_STR},
    {"channelId", "channel", MT_RONG_STR},
    {"sentTime", "sent_time", MT_RONG_WHOLE},
    {"originalFromUserId", "original_from", MT_RONG_STR},
    {"isAdmin", "admin", MT_RONG_ANY},
    {"isDelete", "delete", MT_RONG_ANY},
    {"extra", "recall_info", MT_RONG_STR},
    END};

static const struct mt_rong_member recalled[] = {
    {"operatorId", "operator", MT_RONG_STR},
    {"recallTime", "sent_time", MT_RONG_WHOLE},
    {"recallActionTime", "recall_time", MT_RONG_WHOLE},
    {"originalObjectName", "original_name", MT_RONG_STR},
    {"recallContent", "original_content", MT_RONG_ANY},
    {"admin", "admin", MT_RONG_ANY},
    {"delete", "delete", MT_RONG_ANY},
    {"extra", "recall_info", MT_RONG_STR},
    END};

static const struct mt_rong_member read[] = {
    {"messageUId", NULL, MT_RONG_TARGET}, {"lastMessageSendTime", "until", MT_RONG_WHOLE}, END};

static const struct mt_rong_member answer[] = {{"receiptMessageDic", "read", MT_RONG_ANY}, END};

static const struct mt_rong_member read_state[] = {{"msgId", NULL, MT_RONG_TARGET},
                                                   {"endMsgTime", "until", MT_RONG_WHOLE},
                                                   {"tmn", "total", MT_RONG_WHOLE},
                                                   {"rrn", "read", MT_RONG_WHOLE},
                                                   END};

static const struct mt_rong_member expansion[] = {{"mid", NULL, MT_RONG_TARGET},
                                                  {"put", "put", MT_RONG_ANY},
                                                  {"del", "remove", MT_RONG_ANY},
                                                  {"clear", "clear", MT_RONG_ANY},
                                                  END};

static const struct mt_rong_member typing[] = {{"typingContentType", "content_type", MT_RONG_STR},
                                               END};

#define KEPT   true, true
#define SHOWN  true, false
#define PASSED false, false

static const struct mt_rong_object objects[] = {
    {"RC:TxtMsg", MT_MESSAGE_TEXT, MT_RONG_ROLE_MESSAGE, KEPT, text, NULL},
    {"RC:ReferenceMsg", MT_MESSAGE_TEXT, MT_RONG_ROLE_MESSAGE, KEPT, reference, NULL},
    {"RC:StreamMsg", MT_MESSAGE_TEXT, MT_RONG_ROLE_MESSAGE, KEPT, text, NULL},
    {"RC:ImgMsg", MT_MESSAGE_IMAGE, MT_RONG_ROLE_MESSAGE, KEPT, image, NULL},
    {"RC:GIFMsg", MT_MESSAGE_IMAGE, MT_RONG_ROLE_MESSAGE, KEPT, gif, NULL},
    {"RC:VcMsg", MT_MESSAGE_VOICE, MT_RONG_ROLE_MESSAGE, KEPT, voice, NULL},
    {"RC:HQVCMsg", MT_MESSAGE_VOICE, MT_RONG_ROLE_MESSAGE, KEPT, hq_voice, NULL},
    {"RC:SightMsg", MT_MESSAGE_VIDEO, MT_RONG_ROLE_MESSAGE, KEPT, sight, NULL},
    {"RC:FileMsg", MT_MESSAGE_FILE, MT_RONG_ROLE_MESSAGE, KEPT, file, NULL},
    {"RC:LBSMsg", MT_MESSAGE_LOCATION, MT_RONG_ROLE_MESSAGE, KEPT, location, NULL},
    {"RC:CombineMsg", MT_MESSAGE_COMBINE, MT_RONG_ROLE_MESSAGE, KEPT, combine, NULL},
    {"RC:CombineV2Msg", MT_MESSAGE_COMBINE, MT_RONG_ROLE_MESSAGE, KEPT, combine, NULL},
    {"RC:CmdMsg", MT_MESSAGE_COMMAND, MT_RONG_ROLE_MESSAGE, PASSED, command, NULL},
    {"RC:ImgTextMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_MESSAGE, KEPT, rich, NULL},
    {"RC:PSImgTxtMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_MESSAGE, KEPT, NULL, NULL},
    {"RC:PSMultiImgTxtMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_MESSAGE, KEPT, NULL, NULL},
    {"RC:RLStart", MT_MESSAGE_OTHER, MT_RONG_ROLE_MESSAGE, KEPT, NULL, NULL},
    {"RC:RLEnd", MT_MESSAGE_OTHER, MT_RONG_ROLE_MESSAGE, KEPT, NULL, NULL},
    {"RC:InfoNtf", MT_MESSAGE_OTHER, MT_RONG_ROLE_MESSAGE, SHOWN, notice, NULL},
    {"RC:ContactNtf", MT_MESSAGE_OTHER, MT_RONG_ROLE_MESSAGE, SHOWN, contact_notice, NULL},
    {"RC:ProfileNtf", MT_MESSAGE_OTHER, MT_RONG_ROLE_MESSAGE, SHOWN, contact_notice, NULL},
    {"RC:GrpNtf", MT_MESSAGE_OTHER, MT_RONG_ROLE_MESSAGE, SHOWN, group_notice, NULL},
    {"RC:CmdNtf", MT_MESSAGE_OTHER, MT_RONG_ROLE_MESSAGE, SHOWN, command, NULL},
    {"RC:RcNtf", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECALL, SHOWN, recalled, "recall"},
    {"RC:RcCmd", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECALL, SHOWN, recall, "recall"},
    {"RC:ReadNtf", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECEIPT, PASSED, read, "read"},
    {"RC:SRSMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECEIPT, PASSED, read, "conversation_read"},
    {"RC:RRReqMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECEIPT, PASSED, read, "read_request"},
    {"RC:RRRspMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECEIPT, PASSED, answer, "read"},
    {"RC:RRMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECEIPT, PASSED, read, "read_request"},
    {"RC:RSMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECEIPT, PASSED, read_state, "read_state"},
    {"RC:MsgExMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECEIPT, PASSED, expansion, "expansion"},
    {"RC:Delivered", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECEIPT, PASSED, read, "delivered"},
    {"RC:DRMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_RECEIPT, PASSED, read, "delivered"},
    {"RC:TypSts", MT_MESSAGE_OTHER, MT_RONG_ROLE_STATUS, PASSED, typing, "typing"},
    {"RC:InterceptMsg", MT_MESSAGE_OTHER, MT_RONG_ROLE_STATUS, PASSED, NULL, "intercepted"},
};

const struct mt_rong_object *mt_rong_object_find(const char *name)
{
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        if (strcmp(objects[i].name, name) == 0)
            return &objects[i];
    return NULL;
}

bool mt_rong_object_foreign(const char *name)
{
    return name[0] != '\0' && !mt_str_starts(name, "RC:");
}
