/* What was approved: see approval.h. */
#include "jobs/approval.h"

#include "base/embedded.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/hash.h"
#include "codec/json.h"

#include <stdio.h>
#include <string.h>

#define FILE_PREFIX "file "

/* Beyond the last place the parts are one: of more files than that nobody wants to know which. */
static void put(struct mt_approval *approval, const char *name, const char *is)
{
    bool full = approval->n == MT_APPROVAL_PARTS;
    size_t at = full ? MT_APPROVAL_PARTS - 1 : approval->n++;
    char joined[2 * sizeof approval->parts[0].is];
    uint8_t digest[MT_SHA256_LEN];

    if (full) {
        int len = snprintf(joined, sizeof joined, "%s%s", approval->parts[at].is, is);
        mt_sha256_of(joined, (size_t)len, digest);
        mt_hex(digest, sizeof digest, approval->parts[at].is);
        snprintf(approval->parts[at].name, MT_APPROVAL_NAME_MAX, FILE_PREFIX "(one of many)");
        return;
    }
    snprintf(approval->parts[at].name, MT_APPROVAL_NAME_MAX, "%.*s",
             (int)mt_str_utf8_cut(name, strlen(name), MT_APPROVAL_NAME_MAX - 1), name);
    snprintf(approval->parts[at].is, sizeof approval->parts[at].is, "%s", is);
}

void mt_approval_add(struct mt_approval *approval, const char *name, const void *p, size_t len)
{
    uint8_t digest[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];

    mt_sha256_of(p, len, digest);
    mt_hex(digest, sizeof digest, hex);
    put(approval, name, hex);
}

static enum mt_rc no_memory(struct mt_fault *fault)
{
    return mt_fault_set(fault, MT_ERR_NOMEM, "memory", "out of memory");
}

enum mt_rc mt_approval_add_program(struct mt_approval *approval, const char *version,
                                   struct mt_fault *fault)
{
    struct mt_sha256 *sum = mt_sha256_new();
    uint8_t digest[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];
    char is[65];

    if (!sum)
        return no_memory(fault);
    for (const struct mt_embedded_file *file = mt_embedded_files; file->path; file++) {
        mt_sha256_update(sum, file->path, strlen(file->path) + 1);
        mt_sha256_update(sum, file->data, file->len + 1);
    }
    mt_sha256_peek(sum, digest);
    mt_sha256_free(sum);
    mt_hex(digest, sizeof digest, hex);
    snprintf(is, sizeof is, "%.40s %.20s", version, hex);
    put(approval, "moontide itself", is);
    return MT_OK;
}

enum mt_rc mt_approval_add_list(struct mt_approval *approval, const char *name,
                                const char *const *list, struct mt_fault *fault)
{
    struct mt_sha256 *sum = mt_sha256_new();
    uint8_t digest[MT_SHA256_LEN];
    char hex[MT_SHA256_HEX];

    if (!sum)
        return no_memory(fault);
    for (; *list; list++)
        mt_sha256_update(sum, *list, strlen(*list) + 1);
    mt_sha256_peek(sum, digest);
    mt_sha256_free(sum);
    mt_hex(digest, sizeof digest, hex);
    put(approval, name, hex);
    return MT_OK;
}

/* ---------------------------------------------------------------- files */

/* A pipe, which would be waited for, is none. */
static int read_plain(const char *path, char **data, size_t *len)
{
    struct mt_fs_stat st;
    char *real = NULL;
    int err = mt_fs_real(path, &real);

    if (!err)
        err = mt_fs_stat(real, &st);
    if (!err && !st.is_file)
        err = -1;
    if (!err)
        err = mt_fs_read_all(real, MT_APPROVAL_FILE_MAX, data, len);
    mt_mem_free(real);
    return err;
}

static void add_file(struct mt_approval *approval, const char *path)
{
    char name[MT_APPROVAL_NAME_MAX];
    char *data = NULL;
    size_t len = 0;
    int err = read_plain(path, &data, &len);
    size_t room = sizeof name - sizeof FILE_PREFIX;

    if (!mt_str_utf8_valid(path, strlen(path))) /* would not come back as it is from the ledger */
        path = "(its name is no text)";
    snprintf(name, sizeof name, FILE_PREFIX "%.*s", (int)mt_str_utf8_cut(path, strlen(path), room),
             path);
    if (err)
        put(approval, name, "cannot be read");
    else
        mt_approval_add(approval, name, data, len);
    mt_mem_free(data);
}

void mt_approval_look(struct mt_approval *approval, const char *const *words)
{
    static const char option[] = "--policy";
    bool expected = false;

    while (approval->n && mt_str_starts(approval->parts[approval->n - 1].name, FILE_PREFIX))
        approval->n--;
    for (; *words; words++) {
        const char *word = *words;
        const char *value = word;
        if (mt_str_starts(word, option) && word[sizeof option - 1] == '=') {
            value = word + sizeof option;
            expected = true;
        } else if (mt_str_starts(word, "--")) {
            const char *equals = strchr(word, '=');
            value = equals ? equals + 1 : "";
        }
        if (*value && (expected || mt_str_ends(value, ".lua")))
            add_file(approval, value);
        expected = !strcmp(word, option);
    }
}

/* ---------------------------------------------------------------- comparing */

static const char *part_of(const struct mt_approval *approval, const char *name)
{
    for (size_t i = 0; i < approval->n; i++) {
        if (!strcmp(approval->parts[i].name, name))
            return approval->parts[i].is;
    }
    return "";
}

bool mt_approval_same(const struct mt_approval *a, const struct mt_approval *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->parts[i].name, b->parts[i].name) != 0 ||
            strcmp(a->parts[i].is, b->parts[i].is) != 0)
            return false;
    }
    return true;
}

static void say(char *out, size_t cap, const char *name)
{
    size_t len = strlen(out);

    if (len + strlen(name) + sizeof ", …" < cap)
        snprintf(out + len, cap - len, "%s%s", len ? ", " : "", name);
    else if (len + sizeof ", …" <= cap && !mt_str_ends(out, "…"))
        snprintf(out + len, cap - len, "%s…", len ? ", " : "");
}

void mt_approval_differs(const struct mt_approval *before, const struct mt_approval *now, char *out,
                         size_t cap)
{
    out[0] = '\0';
    if (!before->n) {
        say(out, cap, "that it deletes");
        return;
    }
    for (size_t i = 0; i < now->n; i++) {
        if (strcmp(part_of(before, now->parts[i].name), now->parts[i].is) != 0)
            say(out, cap, now->parts[i].name);
    }
    for (size_t i = 0; i < before->n; i++) {
        if (!part_of(now, before->parts[i].name)[0])
            say(out, cap, before->parts[i].name);
    }
}

/* ---------------------------------------------------------------- keeping */

void mt_approval_write(const struct mt_approval *approval, struct mt_jsonw *w)
{
    mt_jsonw_array(w);
    for (size_t i = 0; i < approval->n; i++) {
        mt_jsonw_array(w);
        mt_jsonw_str(w, approval->parts[i].name);
        mt_jsonw_str(w, approval->parts[i].is);
        mt_jsonw_array_end(w);
    }
    mt_jsonw_array_end(w);
}

void mt_approval_read(const struct mt_json *json, struct mt_approval *out)
{
    memset(out, 0, sizeof *out);
    for (const struct mt_json *at = mt_json_child(json); at; at = mt_json_next(at)) {
        const char *name = mt_json_str(mt_json_child(at));
        const char *is = mt_json_str(mt_json_next(mt_json_child(at)));
        if (!name || !is || out->n == MT_APPROVAL_PARTS) {
            out->n = 0;
            return;
        }
        put(out, name, is);
    }
}
