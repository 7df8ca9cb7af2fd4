/* The signed head: which record was the last at some moment, in HEAD and in the anchor. A chain
 * alone proves nothing about its end. */
#include "policy/audit_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "codec/base64.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PEM_MAX ((size_t)1024)

/* ---------------------------------------------------------------- the key */

static enum mt_rc key_fault(struct mt_fault *fault, const char *why)
{
    return mt_fault_set(fault, MT_ERR_DAMAGED, "audit.key", "the audit's key is not right: %s",
                        why);
}

enum mt_rc mt_au_key_read(const char *dir, uint8_t key[MT_SIGN_KEY_LEN], struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    struct mt_fs_stat st;
    char *text = NULL;
    size_t len = 0;

    mt_au_path(dir, "key", path);
    int err = mt_fs_stat(path, &st);
    if (!err)
        err = mt_fs_read_all(path, PEM_MAX, &text, &len);
    if (err)
        return mt_fs_fault(fault, err, "read", path);
    enum mt_rc rc = MT_OK;
    if (!st.is_file || (st.mode & 077))
        rc = mt_fault_set(fault, MT_ERR_DENIED, "audit.key",
                          "others may read the audit's key: chmod 600 %.120s", path);
    else if (!mt_sign_read_key(text, len, key))
        rc = key_fault(fault, "its file holds no key");
    explicit_bzero(text, len);
    mt_mem_free(text);
    return rc;
}

static enum mt_rc put_file(const char *dir, const char *name, const struct mt_buf *text,
                           struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];

    if (text->failed)
        return mt_au_nomem(fault);
    mt_au_path(dir, name, path);
    int err = mt_fs_replace(path, text->data, text->len);
    return err ? mt_fs_fault(fault, err, "write", path) : MT_OK;
}

enum mt_rc mt_au_key_make(const char *dir, uint8_t key[MT_SIGN_KEY_LEN], struct mt_fault *fault)
{
    uint8_t public_key[MT_SIGN_KEY_LEN];
    struct mt_buf text;

    mt_rand_bytes(key, MT_SIGN_KEY_LEN);
    mt_buf_init(&text, PEM_MAX);
    enum mt_rc rc = mt_sign_public(key, public_key);
    if (!rc)
        rc = mt_sign_write_public(&text, public_key);
    if (rc)
        rc = mt_au_nomem(fault);
    else
        rc = put_file(dir, "key.pub", &text, fault);
    mt_buf_reset(&text);
    if (!rc) {
        rc = mt_sign_write_key(&text, key);
        rc = rc ? mt_au_nomem(fault) : put_file(dir, "key", &text, fault);
    }
    if (text.data)
        explicit_bzero(text.data, text.cap);
    mt_buf_deinit(&text);
    return rc;
}

/* ---------------------------------------------------------------- reading */

static enum mt_rc head_fault(struct mt_fault *fault, const char *path, const char *why)
{
    return mt_fault_set(fault, MT_ERR_DAMAGED, "audit.head", "the audit's head %.120s %s", path,
                        why);
}

static bool take_text(const struct mt_json *json, const char *key, char *out, size_t cap)
{
    const char *s = mt_json_str(mt_json_get(json, key));

    if (!s || strlen(s) >= cap)
        return false;
    memcpy(out, s, strlen(s) + 1);
    return true;
}

/* A record by its number and its segment, and by its hash or its place in it or both. */
static bool take_place(const struct mt_json *json, bool hash, bool extent, struct mt_au_place *out)
{
    uint64_t segment = 0;

    if (!mt_json_u64(mt_json_get(json, "seq"), &out->seq) || !out->seq ||
        !mt_json_u64(mt_json_get(json, "segment"), &segment) || !segment ||
        segment > MT_AU_SEGMENTS_MAX)
        return false;
    if (hash && (!take_text(json, "sha256", out->sha256, sizeof out->sha256) ||
                 strlen(out->sha256) != MT_SHA256_HEX - 1))
        return false;
    out->segment = (uint32_t)segment;
    out->start = mt_json_i64(mt_json_get(json, "start"), -1);
    out->end = mt_json_i64(mt_json_get(json, "end"), -1);
    return !extent || (out->start >= 0 && out->end > out->start);
}

static bool take_head(const struct mt_json *json, struct mt_au_head *out)
{
    const struct mt_json *pruned = mt_json_get(json, "pruned");

    out->at_ms = mt_json_i64(mt_json_get(json, "at"), 0);
    return take_place(json, true, true, &out->place) &&
           take_text(json, "key", out->key, sizeof out->key) &&
           take_text(json, "anchor", out->anchor, sizeof out->anchor) &&
           (!pruned ||
            (take_place(pruned, true, false, &out->pruned.removed) &&
             take_place(mt_json_get(pruned, "by"), false, true, &out->pruned.statement)));
}

static enum mt_rc parse_head(const char *path, const char *text, size_t len,
                             const uint8_t public_key[MT_SIGN_KEY_LEN], struct mt_au_head *out,
                             struct mt_fault *fault)
{
    const char *newline = memchr(text, '\n', len);
    size_t line_len = newline ? (size_t)(newline - text) : 0;
    size_t left = newline ? len - line_len - 1 : 0;
    uint8_t signature[MT_BASE64_DECODED_MAX(MT_BASE64_ENCODED_LEN(MT_SIGN_LEN))];
    char key[MT_AU_KEY_HEX];
    struct mt_json *json = NULL;
    struct mt_buf again;
    size_t got = 0;

    if (left != MT_BASE64_ENCODED_LEN(MT_SIGN_LEN) + 1 || text[len - 1] != '\n' ||
        mt_base64_decode(newline + 1, left - 1, signature, &got) || got != MT_SIGN_LEN)
        return head_fault(fault, path, "is no head");
    mt_buf_init(&again, MT_AU_HEAD_MAX); /* one text for one signature */
    enum mt_rc rc = mt_base64_encode(&again, signature, got);
    bool same = !rc && again.len == left - 1 && !memcmp(again.data, newline + 1, again.len);
    mt_buf_deinit(&again);
    if (rc || !same)
        return rc ? mt_au_nomem(fault) : head_fault(fault, path, "is no head");
    rc = mt_json_parse(text, line_len, MT_AU_HEAD_MAX, &json, NULL);
    if (rc == MT_ERR_NOMEM)
        return mt_au_nomem(fault);
    if (rc || !take_head(json, out))
        rc = head_fault(fault, path, "is no head");
    mt_json_free(json);
    if (rc)
        return rc;
    mt_hex(public_key, MT_SIGN_KEY_LEN, key);
    if (strcmp(key, out->key) != 0)
        return mt_fault_set(fault, MT_ERR_DAMAGED, "audit.key",
                            "%.120s was signed by another key: the audit's key was replaced, or "
                            "it is the head of another audit",
                            path);
    if (!mt_sign_is_right(public_key, text, line_len, signature))
        return head_fault(fault, path, "does not bear a right signature");
    return MT_OK;
}

enum mt_rc mt_au_head_read(const char *path, const uint8_t public_key[MT_SIGN_KEY_LEN],
                           struct mt_au_head *out, struct mt_fault *fault)
{
    char *text = NULL;
    size_t len = 0;

    memset(out, 0, sizeof *out);
    int err = mt_fs_read_all(path, MT_AU_HEAD_MAX, &text, &len);
    if (err == ENOENT)
        return MT_OK;
    if (err && err != EFBIG)
        return mt_fs_fault(fault, err, "read", path);
    enum mt_rc rc = err ? head_fault(fault, path, "is no head")
                        : parse_head(path, text, len, public_key, out, fault);
    mt_mem_free(text);
    if (rc)
        memset(out, 0, sizeof *out);
    return rc;
}

/* ---------------------------------------------------------------- writing */

static void print_pruned(struct mt_jsonw *w, const struct mt_au_pruned *pruned)
{
    mt_jsonw_key(w, "pruned");
    mt_jsonw_object(w);
    mt_jsonw_key(w, "seq");
    mt_jsonw_u64(w, pruned->removed.seq);
    mt_jsonw_key(w, "sha256");
    mt_jsonw_str(w, pruned->removed.sha256);
    mt_jsonw_key(w, "segment");
    mt_jsonw_u64(w, pruned->removed.segment);
    mt_jsonw_key(w, "by");
    mt_jsonw_object(w);
    mt_jsonw_key(w, "seq");
    mt_jsonw_u64(w, pruned->statement.seq);
    mt_jsonw_key(w, "segment");
    mt_jsonw_u64(w, pruned->statement.segment);
    mt_jsonw_key(w, "start");
    mt_jsonw_i64(w, pruned->statement.start);
    mt_jsonw_key(w, "end");
    mt_jsonw_i64(w, pruned->statement.end);
    mt_jsonw_object_end(w);
    mt_jsonw_object_end(w);
}

static void print_head(const struct mt_audit *audit, struct mt_buf *out)
{
    char key[MT_AU_KEY_HEX];
    struct mt_jsonw w;

    mt_hex(audit->public_key, MT_SIGN_KEY_LEN, key);
    mt_jsonw_init(&w, out);
    mt_jsonw_object(&w);
    mt_jsonw_key(&w, "v");
    mt_jsonw_u64(&w, 1);
    mt_jsonw_key(&w, "seq");
    mt_jsonw_u64(&w, audit->last.seq);
    mt_jsonw_key(&w, "sha256");
    mt_jsonw_str(&w, audit->last.sha256);
    mt_jsonw_key(&w, "at");
    mt_jsonw_i64(&w, mt_clock_wall_ms());
    mt_jsonw_key(&w, "segment");
    mt_jsonw_u64(&w, audit->last.segment);
    mt_jsonw_key(&w, "start");
    mt_jsonw_i64(&w, audit->last.start);
    mt_jsonw_key(&w, "end");
    mt_jsonw_i64(&w, audit->last.end);
    mt_jsonw_key(&w, "key");
    mt_jsonw_str(&w, key);
    mt_jsonw_key(&w, "anchor");
    mt_jsonw_str(&w, audit->anchor ? audit->anchor : "");
    if (audit->pruned.statement.seq)
        print_pruned(&w, &audit->pruned);
    mt_jsonw_object_end(&w);
}

/* The anchor first: HEAD says that it is there. */
enum mt_rc mt_au_head_write(struct mt_audit *audit, struct mt_fault *fault)
{
    uint8_t signature[MT_SIGN_LEN];
    struct mt_buf text;
    int err = 0;

    mt_buf_init(&text, MT_AU_HEAD_MAX);
    print_head(audit, &text);
    enum mt_rc rc = text.failed ? text.failed : mt_sign(audit->key, text.data, text.len, signature);
    (void)mt_buf_append_char(&text, '\n');
    if (!rc)
        (void)mt_base64_encode(&text, signature, sizeof signature);
    (void)mt_buf_append_char(&text, '\n');
    if (rc || text.failed) {
        mt_buf_deinit(&text);
        return mt_au_nomem(fault);
    }
    if (audit->anchor)
        err = mt_fs_replace(audit->anchor, text.data, text.len);
    if (err) {
        rc = mt_fs_fault(fault, err, "anchor the audit in", audit->anchor);
    } else {
        char path[MT_AU_PATH_MAX];
        mt_au_path(audit->dir, "HEAD", path);
        err = mt_fs_replace(path, text.data, text.len);
        if (err)
            rc = mt_fs_fault(fault, err, "write", path);
    }
    mt_buf_deinit(&text);
    if (rc)
        return rc;
    audit->unsigned_n = 0;
    audit->unsigned_deletions_n = 0;
    audit->head_mono_ms = mt_clock_mono_ms();
    mt_au_open_save(audit);
    return MT_OK;
}

/* ---------------------------------------------------------------- checking */

enum mt_rc mt_au_head_check(const char *dir, const struct mt_au_head *head, struct mt_fault *fault)
{
    char sha256[MT_SHA256_HEX];
    uint8_t sum[MT_SHA256_LEN];
    struct mt_au_file file;
    char *line = NULL;
    size_t len = 0;

    mt_au_file_init(&file);
    enum mt_rc rc = mt_au_line_at(&file, dir, &head->place, &line, &len, fault);
    mt_au_file_close(&file);
    if (rc == MT_ERR_NOT_FOUND)
        return mt_fault_set(fault, MT_ERR_STATE, "audit.cut",
                            "the audit was cut: a signed head knows record %llu, and the log ends "
                            "before it. Nothing is deleted or sent: moontide audit --verify",
                            (unsigned long long)head->place.seq);
    if (rc)
        return rc;
    mt_sha256_of(line, len, sum);
    mt_hex(sum, sizeof sum, sha256);
    mt_mem_free(line);
    return strcmp(sha256, head->place.sha256) != 0
               ? mt_au_damaged(fault, head->place.seq, "it is not the one that was signed")
               : MT_OK;
}

enum mt_rc mt_au_anchor_check(const char *anchor, const struct mt_au_head *own,
                              const struct mt_au_head *anchored, struct mt_fault *fault)
{
    if (!anchor || anchored->place.seq || strcmp(anchor, own->anchor) != 0)
        return MT_OK;
    return mt_fault_set(fault, MT_ERR_STATE, "audit.anchor",
                        "the audit's anchor is gone: %.100s. Bring it back (is it mounted?), or "
                        "name another place in the configuration",
                        anchor);
}

static enum mt_rc front_fault(struct mt_fault *fault, uint64_t seq)
{
    return mt_fault_set(fault, MT_ERR_DAMAGED, "audit.damaged",
                        "the audit is damaged: it begins with record %llu, and no signed statement "
                        "says that those before it were removed. Nothing is deleted or sent until "
                        "somebody has looked at it: moontide audit --verify",
                        (unsigned long long)seq);
}

enum mt_rc mt_au_statement_check(const char *line, size_t len, const struct mt_au_pruned *pruned,
                                 const uint8_t public_key[MT_SIGN_KEY_LEN], struct mt_fault *fault)
{
    char want[MT_AU_KEY_HEX];
    struct mt_au_line parsed;
    uint64_t seq = 0;
    enum mt_rc rc = mt_au_parse(line, len, &parsed);

    if (rc)
        return rc == MT_ERR_NOMEM ? mt_au_nomem(fault)
                                  : mt_au_damaged(fault, pruned->statement.seq, "it is no record");
    mt_hex(public_key, MT_SIGN_KEY_LEN, want);
    const struct mt_json *detail = mt_json_get(parsed.json, "detail");
    const char *verb = mt_json_str(mt_json_get(parsed.json, "verb"));
    const char *sha256 = mt_json_str(mt_json_get(detail, "sha256"));
    const char *key = mt_json_str(mt_json_get(detail, "key"));
    bool says = parsed.seq == pruned->statement.seq && verb && !strcmp(verb, "prune") && sha256 &&
                !strcmp(sha256, pruned->removed.sha256) &&
                mt_json_u64(mt_json_get(detail, "seq"), &seq) && seq == pruned->removed.seq;
    bool same = key && !strcmp(key, want);
    mt_json_free(parsed.json);
    if (!says)
        return mt_au_damaged(fault, pruned->statement.seq,
                             "it does not say what the head says was removed");
    return same ? MT_OK : key_fault(fault, "the record about what was removed names another one");
}

/* What remains after an interrupted removal begins before the statement's end, never behind it. */
enum mt_rc mt_au_front_check(const char *dir, const struct mt_au_end *end,
                             const struct mt_au_pruned *pruned,
                             const uint8_t public_key[MT_SIGN_KEY_LEN], struct mt_fault *fault)
{
    struct mt_au_place front;
    struct mt_au_file file;
    char *line = NULL;
    size_t len = 0;
    enum mt_rc rc = mt_au_from(dir, end, &front, fault);

    if (rc || end->first <= 1)
        return rc;
    if (front.seq > pruned->removed.seq ||
        (front.seq == pruned->removed.seq && strcmp(front.sha256, pruned->removed.sha256) != 0))
        return front_fault(fault, front.seq + 1);
    mt_au_file_init(&file);
    rc = mt_au_line_at(&file, dir, &pruned->statement, &line, &len, fault);
    mt_au_file_close(&file);
    if (rc == MT_ERR_NOT_FOUND)
        return front_fault(fault, front.seq + 1);
    if (!rc)
        rc = mt_au_statement_check(line, len, pruned, public_key, fault);
    mt_mem_free(line);
    return rc;
}

enum mt_rc mt_au_first_check(const char *line, size_t len,
                             const uint8_t public_key[MT_SIGN_KEY_LEN], struct mt_fault *fault)
{
    char want[MT_AU_KEY_HEX];
    struct mt_au_line first;
    enum mt_rc rc = mt_au_parse(line, len, &first);

    if (rc == MT_ERR_NOMEM)
        return mt_au_nomem(fault);
    if (rc)
        return mt_au_damaged(fault, 1, "it is no record");
    mt_hex(public_key, MT_SIGN_KEY_LEN, want);
    const char *key = mt_json_str(mt_json_get(mt_json_get(first.json, "detail"), "key"));
    bool same = first.seq == 1 && key && !strcmp(key, want);
    mt_json_free(first.json);
    return same ? MT_OK : key_fault(fault, "the first record names another one");
}
