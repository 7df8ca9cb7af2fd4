/* Reads MessageBody.contents[0]: see content_pb_int.h. */
#include "provider/easemob/content_pb_int.h"

#include "base/arena.h"
#include "provider/easemob/ext_int.h"

#include <stdio.h>
#include <string.h>

typedef Easemob__Pb__MessageBody__Content content_pb;

static const char *other_name(int type, struct mt_arena *arena)
{
    char name[32];

    snprintf(name, sizeof name, "content_%d", type);
    return mt_arena_strdup(arena, name);
}

/* Presence of subType matters: 0 present is a combined message, absent is plain text (§2). */
static enum mt_rc set_kind(const content_pb *pb, struct mt_arena *arena, struct mt_em_content *out)
{
    static const enum mt_message_kind kinds[] = {
        [EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__TEXT] = MT_MESSAGE_TEXT,
        [EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__IMAGE] = MT_MESSAGE_IMAGE,
        [EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__VIDEO] = MT_MESSAGE_VIDEO,
        [EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__LOCATION] = MT_MESSAGE_LOCATION,
        [EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__VOICE] = MT_MESSAGE_VOICE,
        [EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__FILE] = MT_MESSAGE_FILE,
        [EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__COMMAND] = MT_MESSAGE_COMMAND,
        [EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__CUSTOM] = MT_MESSAGE_CUSTOM,
        [EASEMOB__PB__MESSAGE_BODY__CONTENT__TYPE__COMBINE] = MT_MESSAGE_COMBINE,
    };
    int type = (int)pb->type;

    if (type < 0 || type >= (int)(sizeof kinds / sizeof kinds[0])) {
        out->kind = MT_MESSAGE_OTHER;
        out->other = other_name(type, arena);
        return out->other == NULL ? MT_ERR_NOMEM : MT_OK;
    }
    out->kind = kinds[type];
    if (out->kind == MT_MESSAGE_TEXT && pb->has_subtype &&
        pb->subtype == EASEMOB__PB__MESSAGE_BODY__CONTENT__SUB_TYPE__SUB_COMBINE)
        out->kind = MT_MESSAGE_COMBINE;
    out->gif = out->kind == MT_MESSAGE_IMAGE && pb->has_subtype &&
               pb->subtype == EASEMOB__PB__MESSAGE_BODY__CONTENT__SUB_TYPE__SUB_GIF;
    return MT_OK;
}

static void set_stream(const Easemob__Pb__MessageBody__Stream *pb, struct mt_em_stream *stream,
                       struct mt_em_content *out)
{
    if (pb == NULL)
        return;
    *stream = (struct mt_em_stream){.type = pb->streamtype,
                                    .seq = pb->has_streamseq ? pb->streamseq : 0,
                                    .status = pb->has_streamstatus ? (int64_t)pb->streamstatus : 0,
                                    .error = pb->has_streamerror ? (int64_t)pb->streamerror : 0,
                                    .finish_reason =
                                        pb->has_streamfinishreason ? pb->streamfinishreason : 0};
    out->stream = stream;
}

/* Short texts of a message as C strings; a NUL inside one is shown as U+FFFD, as in JSON. */
static const char *string_of(const ProtobufCBinaryData *bytes, struct mt_arena *arena,
                             enum mt_rc *rc)
{
    static const char instead[] = "\xef\xbf\xbd";
    size_t nuls = 0, at = 0;
    char *out = NULL;

    if (bytes->len == 0)
        return NULL;
    for (size_t i = 0; i < bytes->len; i++)
        nuls += bytes->data[i] == '\0';
    out = mt_arena_alloc(arena, bytes->len + nuls * 2 + 1);
    if (out == NULL) {
        *rc = MT_ERR_NOMEM;
        return NULL;
    }
    for (size_t i = 0; i < bytes->len; i++) {
        if (bytes->data[i] != '\0') {
            out[at++] = (char)bytes->data[i];
            continue;
        }
        memcpy(out + at, instead, 3);
        at += 3;
    }
    out[at] = '\0';
    return out;
}

static enum mt_rc set_strings(const content_pb *pb, struct mt_arena *arena,
                              struct mt_em_content *out)
{
    enum mt_rc rc = MT_OK;

    out->text = (const char *)pb->text.data;
    out->text_len = pb->text.len;
    out->filename = string_of(&pb->displayname, arena, &rc);
    out->address = string_of(&pb->address, arena, &rc);
    out->building = string_of(&pb->buildingname, arena, &rc);
    out->action = string_of(&pb->action, arena, &rc);
    out->event = string_of(&pb->customevent, arena, &rc);
    out->title = string_of(&pb->title, arena, &rc);
    out->summary = string_of(&pb->summary, arena, &rc);
    return rc;
}

static void set_fields(const content_pb *pb, struct mt_em_content *out)
{
    out->remote_path = pb->remotepath;
    out->secret = pb->secretkey;
    out->thumbnail_path = pb->thumbnailremotepath;
    out->thumbnail_secret = pb->thumbnailsecretkey;
    out->size_bytes = pb->filelength;
    out->has_duration = pb->has_duration;
    out->duration_s = pb->duration;
    out->has_level = pb->has_combinelevel;
    out->level = pb->combinelevel;
    out->has_position = pb->has_latitude || pb->has_longitude;
    out->latitude = pb->latitude;
    out->longitude = pb->longitude;
    if (pb->size != NULL) {
        out->has_dimensions = true;
        out->width = pb->size->width;
        out->height = pb->size->height;
    }
}

enum mt_rc mt_em_content_from_pb(const Easemob__Pb__MessageBody *body, struct mt_arena *arena,
                                 struct mt_em_stream *stream, struct mt_em_content *out)
{
    const content_pb *pb = body->n_contents > 0 ? body->contents[0] : NULL;
    enum mt_rc rc = MT_OK;

    *out = (struct mt_em_content){.kind = MT_MESSAGE_OTHER, .other = "empty"};
    if (pb == NULL)
        return MT_OK;
    rc = set_kind(pb, arena, out);
    if (rc != MT_OK)
        return rc;
    rc = set_strings(pb, arena, out);
    set_fields(pb, out);
    set_stream(body->stream, stream, out);
    if (rc == MT_OK && pb->n_params > 0)
        rc = mt_em_ext_decode(pb->params, pb->n_params, arena, &out->params);
    if (rc == MT_OK && (pb->n_customexts > 0 || out->kind == MT_MESSAGE_CUSTOM))
        rc = mt_em_ext_decode(pb->customexts, pb->n_customexts, arena, &out->fields);
    return rc;
}
