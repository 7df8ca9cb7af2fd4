/* The proof: each record follows the one before, the first names the key, and what the signed heads
 * say was the last is there, unchanged. */
#include "policy/audit_read.h"

#include "base/mem.h"
#include "policy/audit_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct prove {
    struct mt_audit_proof *proof;
    const struct mt_au_head *own, *anchored;
    uint8_t public_key[MT_SIGN_KEY_LEN];
    uint64_t noted_seq; /* 0: none */
    const char *noted_sha256;
    struct mt_audit open; /* its set of intents alone */
    struct mt_fault *fault;
};

static enum mt_rc check_place(const struct mt_au_head *head, const struct mt_au_place *place,
                              struct mt_fault *fault)
{
    if (head->place.seq != place->seq)
        return MT_OK;
    return strcmp(head->place.sha256, place->sha256) != 0 ||
                   head->place.segment != place->segment || head->place.start != place->start ||
                   head->place.end != place->end
               ? mt_au_damaged(fault, place->seq, "it is not the one that was signed")
               : MT_OK;
}

/* What the signed head knows was written by us: of that only the chain is looked at. */
static enum mt_rc brief_of(const struct prove *prove, const struct mt_au_place *place,
                           const char *line, size_t len, struct mt_au_brief *out)
{
    struct mt_au_line parsed;

    if (place->seq > prove->own->place.seq) {
        enum mt_rc rc = mt_au_parse(line, len, &parsed);
        if (rc)
            return rc;
        mt_json_free(parsed.json);
    }
    return mt_au_brief_of(line, len, out);
}

static enum mt_rc check_line(const struct prove *prove, const struct mt_au_place *place,
                             const char *line, size_t len)
{
    const struct mt_au_pruned *pruned = &prove->own->pruned;
    enum mt_rc rc = MT_OK;

    if (place->seq == 1)
        rc = mt_au_first_check(line, len, prove->public_key, prove->fault);
    if (!rc && pruned->statement.seq == place->seq)
        rc = mt_au_statement_check(line, len, pruned, prove->public_key, prove->fault);
    if (!rc)
        rc = check_place(prove->own, place, prove->fault);
    if (!rc)
        rc = check_place(prove->anchored, place, prove->fault);
    if (!rc && prove->noted_seq == place->seq && strcmp(prove->noted_sha256, place->sha256) != 0)
        rc = mt_fault_set(prove->fault, MT_ERR_DAMAGED, "audit.noted",
                          "record %llu is not the one that was noted",
                          (unsigned long long)place->seq);
    return rc;
}

static enum mt_rc prove_one(void *ud, const struct mt_au_place *place, const char *line, size_t len)
{
    struct prove *prove = ud;
    struct mt_au_brief brief;
    enum mt_rc rc = brief_of(prove, place, line, len, &brief);

    if (rc)
        return rc == MT_ERR_NOMEM ? mt_au_nomem(prove->fault)
                                  : mt_au_damaged(prove->fault, place->seq, "it is no record");
    mt_au_open_take_brief(&prove->open, &brief, place);
    rc = check_line(prove, place, line, len);
    if (rc)
        return rc;
    if (!prove->proof->first_seq) {
        prove->proof->first_seq = place->seq;
        prove->proof->first_ms = brief.at_ms;
    }
    prove->proof->last_ms = brief.at_ms;
    prove->proof->bytes += len + 1;
    prove->proof->records_n = place->seq;
    return MT_OK;
}

static enum mt_rc read_public(const char *dir, uint8_t key[MT_SIGN_KEY_LEN], struct mt_fault *fault)
{
    char path[MT_AU_PATH_MAX];
    char *text = NULL;
    size_t len = 0;

    mt_au_path(dir, "key.pub", path);
    int err = mt_fs_read_all(path, 1024, &text, &len);
    if (err && err != ENOENT && err != EFBIG)
        return mt_fs_fault(fault, err, "read", path);
    bool fine = !err && mt_sign_read_public(text, len, key);
    mt_mem_free(text);
    return fine ? MT_OK
                : mt_fault_set(fault, MT_ERR_DAMAGED, "audit.key",
                               "the audit's public key is gone or damaged: %.160s", path);
}

enum mt_rc mt_au_no_log(struct mt_fault *fault, const char *dir)
{
    return mt_fault_set(fault, MT_ERR_NOT_FOUND, "audit.none", "there is no audit in %.180s", dir);
}

/* All that changes with an append, while nobody appends. */
static enum mt_rc look(const char *dir, const char *anchor, struct prove *prove,
                       struct mt_au_head *own, struct mt_au_head *anchored, struct mt_au_end *end)
{
    char path[MT_AU_PATH_MAX];
    int fd = -1;
    enum mt_rc rc = mt_au_lock(dir, false, &fd, prove->fault);

    if (rc == MT_ERR_NOT_FOUND)
        return mt_au_no_log(prove->fault, dir);
    mt_au_path(dir, "HEAD", path);
    if (!rc)
        rc = read_public(dir, prove->public_key, prove->fault);
    if (!rc)
        rc = mt_au_find_end(dir, end, prove->fault);
    if (!rc)
        rc = mt_au_head_read(path, prove->public_key, own, prove->fault);
    if (!rc && anchor)
        rc = mt_au_head_read(anchor, prove->public_key, anchored, prove->fault);
    mt_au_unlock(&fd);
    return rc;
}

static enum mt_rc cut(struct prove *prove, const struct mt_au_head *head, const char *whose)
{
    prove->proof->bad_seq = prove->proof->records_n + 1;
    return mt_fault_set(prove->fault, MT_ERR_STATE, "audit.cut",
                        "the audit was cut behind record %llu: %s signs record %llu",
                        (unsigned long long)prove->proof->records_n, whose,
                        (unsigned long long)head->place.seq);
}

static enum mt_rc prove_ends(struct prove *prove, const char *anchor)
{
    uint64_t n = prove->proof->records_n;

    if (prove->own->place.seq > n)
        return cut(prove, prove->own, "its head");
    if (prove->anchored->place.seq > n)
        return cut(prove, prove->anchored, "the anchor");
    if (!prove->own->place.seq) {
        prove->proof->bad_seq = n + 1;
        return mt_fault_set(prove->fault, MT_ERR_DAMAGED, "audit.head", "the audit's head is gone");
    }
    if (prove->noted_seq > n) {
        prove->proof->bad_seq = n + 1;
        return mt_fault_set(prove->fault, MT_ERR_STATE, "audit.cut",
                            "the audit was cut behind record %llu: record %llu was noted",
                            (unsigned long long)n, (unsigned long long)prove->noted_seq);
    }
    return mt_au_anchor_check(anchor, prove->own, prove->anchored, prove->fault);
}

static enum mt_rc prove_all(const char *dir, const char *anchor, struct prove *prove,
                            struct mt_au_head *own, struct mt_au_head *anchored)
{
    struct mt_audit_proof *proof = prove->proof;
    struct mt_au_place at;
    struct mt_au_end end = {.segments_n = 0};
    enum mt_rc rc = look(dir, anchor, prove, own, anchored, &end);

    if (rc)
        return rc;
    mt_hex(prove->public_key, MT_SIGN_KEY_LEN, proof->key);
    proof->head_seq = own->place.seq;
    proof->anchor_seq = anchored->place.seq;
    proof->segments_n = end.segments_n ? end.segments_n - end.first + 1 : 0;
    proof->pruned_by = own->pruned.statement.seq;
    rc = mt_au_front_check(dir, &end, &own->pruned, prove->public_key, prove->fault);
    if (!rc)
        rc = mt_au_from(dir, &end, &at, prove->fault);
    if (rc)
        return rc;
    proof->records_n = at.seq;
    mt_au_open_none(&prove->open);
    if (!prove->open.open)
        return mt_au_nomem(prove->fault);
    rc = mt_au_walk(dir, &end, &at, prove_one, prove, &proof->torn_bytes, prove->fault);
    memcpy(proof->sha256, at.sha256, sizeof proof->sha256);
    if (prove->open.open)
        proof->open_n = mt_map_count(prove->open.open);
    if (rc == MT_ERR_DAMAGED || rc == MT_ERR_STATE)
        proof->bad_seq = proof->records_n + 1;
    return rc ? rc : prove_ends(prove, anchor);
}

enum mt_rc mt_audit_prove(const char *dir, const char *anchor, struct mt_audit_proof *proof,
                          struct mt_fault *fault)
{
    return mt_audit_prove_noted(dir, anchor, 0, "", proof, fault);
}

enum mt_rc mt_audit_prove_noted(const char *dir, const char *anchor, uint64_t seq,
                                const char *sha256, struct mt_audit_proof *proof,
                                struct mt_fault *fault)
{
    struct mt_fault unasked;
    struct mt_au_head *heads = mt_mem_calloc(2, sizeof *heads);
    struct prove prove = {.proof = proof,
                          .noted_seq = seq,
                          .noted_sha256 = sha256,
                          .fault = fault ? fault : &unasked};

    memset(proof, 0, sizeof *proof);
    if (!heads)
        return mt_au_nomem(fault);
    prove.own = &heads[0];
    prove.anchored = &heads[1];
    enum mt_rc rc = prove_all(dir, anchor, &prove, &heads[0], &heads[1]);
    mt_au_open_forget(&prove.open);
    mt_mem_free(heads);
    return rc;
}

bool mt_audit_head_look(const char *dir, uint64_t *seq, char sha256[65])
{
    struct prove prove = {.fault = &(struct mt_fault){.code = ""}};
    struct mt_au_head *head = mt_mem_calloc(1, sizeof *head);
    char path[MT_AU_PATH_MAX];

    mt_au_path(dir, "HEAD", path);
    bool there = head && !read_public(dir, prove.public_key, prove.fault) &&
                 !mt_au_head_read(path, prove.public_key, head, prove.fault) && head->place.seq;
    if (there) {
        *seq = head->place.seq;
        memcpy(sha256, head->place.sha256, sizeof head->place.sha256);
    }
    mt_mem_free(head);
    return there;
}
