/* What keeps the audit small over years: finished segments are compressed; and whole segments may
 * be removed from the front, by whoever may, with a signed statement in their place. */
#include "policy/audit_int.h"
#include "policy/audit_read.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum mt_rc mt_audit_compact(struct mt_audit *audit, uint32_t *segments_n, struct mt_fault *fault)
{
    struct mt_au_end end = {.first = 1};
    enum mt_rc rc = MT_OK;

    *segments_n = 0;
    if (audit->failed)
        return mt_au_refuse(fault);
    rc = mt_au_lock(audit->dir, true, &audit->lock_fd, fault);
    if (!rc)
        rc = mt_au_catch_up(audit, fault);
    if (!rc)
        rc = mt_au_find_end(audit->dir, &end, fault);
    mt_au_unlock(&audit->lock_fd);
    for (uint32_t segment = end.first; segment < audit->last.segment && !rc; segment++) {
        bool done = false;
        rc = mt_au_lock(audit->dir, true, &audit->lock_fd, fault);
        if (!rc)
            rc = mt_au_compress(audit->dir, segment, &done, fault);
        mt_au_unlock(&audit->lock_fd);
        *segments_n += done;
    }
    return rc;
}

/* ---------------------------------------------------------------- removing */

struct scan {
    int64_t before_ms;
    uint32_t segment, last_segment;
    int64_t newest_ms; /* of the segment */
    struct mt_au_place last;
    struct mt_au_place cut; /* seq 0: nothing goes */
    struct mt_audit_pruned so_far, *out;
};

/* Whether all of the segment that ends here goes. */
static bool settle_segment(struct scan *scan)
{
    if (scan->newest_ms >= scan->before_ms)
        return false;
    scan->so_far.segments_n++;
    scan->cut = scan->last;
    *scan->out = scan->so_far;
    return true;
}

static enum mt_rc scan_one(void *ud, const struct mt_au_place *place, const char *line, size_t len)
{
    struct scan *scan = ud;
    struct mt_audit_pruned *so_far = &scan->so_far;
    struct mt_au_brief brief;

    if (place->segment != scan->segment) {
        if (so_far->records_n && !settle_segment(scan))
            return MT_ERR_CANCELLED;
        if (place->segment >= scan->last_segment)
            return MT_ERR_CANCELLED;
        scan->segment = place->segment;
        scan->newest_ms = INT64_MIN;
    }
    enum mt_rc rc = mt_au_brief_of(line, len, &brief);
    if (rc)
        return rc;
    if (brief.at_ms > scan->newest_ms)
        scan->newest_ms = brief.at_ms;
    if (!so_far->records_n++)
        so_far->first_ms = brief.at_ms;
    so_far->last_ms = brief.at_ms;
    so_far->last_seq = place->seq;
    memcpy(so_far->sha256, place->sha256, sizeof so_far->sha256);
    scan->last = *place;
    return MT_OK;
}

/* What would go; end: as it was then. */
static enum mt_rc find_front(struct mt_audit *audit, const struct mt_audit_prune *what,
                             struct mt_au_end *end, struct scan *scan, struct mt_fault *fault)
{
    struct mt_au_place at;
    int64_t torn = 0;
    enum mt_rc rc = mt_au_find_end(audit->dir, end, fault);

    scan->before_ms = what->before_ms;
    scan->last_segment = audit->last.segment;
    if (!rc)
        rc = mt_au_from(audit->dir, end, &at, fault);
    if (!rc)
        rc = mt_au_walk(audit->dir, end, &at, scan_one, scan, &torn, fault);
    return rc == MT_ERR_CANCELLED ? MT_OK : rc;
}

static enum mt_rc say(struct mt_audit *audit, const struct mt_audit_prune *what,
                      const struct scan *scan, struct mt_audit_pruned *out, struct mt_fault *fault)
{
    char key[MT_AU_KEY_HEX];
    char detail[500];

    mt_hex(audit->public_key, MT_SIGN_KEY_LEN, key);
    (void)snprintf(detail, sizeof detail,
                   "{\"seq\":%llu,\"sha256\":\"%s\",\"records\":%llu,\"segments\":%lu,\"first_at\":"
                   "%lld,\"last_at\":%lld,\"unsettled\":%llu,\"before\":%lld,\"uid\":%lu,\"key\":"
                   "\"%s\"}",
                   (unsigned long long)out->last_seq, out->sha256,
                   (unsigned long long)out->records_n, (unsigned long)out->segments_n,
                   (long long)out->first_ms, (long long)out->last_ms,
                   (unsigned long long)out->unsettled_n, (long long)what->before_ms,
                   (unsigned long)getuid(), key);
    struct mt_audit_record note = {.type = MT_AUDIT_NOTE,
                                   .actor = what->actor,
                                   .verb = "prune",
                                   .why = what->why,
                                   .detail = detail};
    enum mt_rc rc = mt_au_append(audit, &note, 1, &out->statement, fault);
    if (rc)
        return rc;
    audit->pruned.removed = scan->cut;
    audit->pruned.statement = audit->last;
    rc = mt_au_head_write(audit, fault);
    audit->failed = rc != MT_OK;
    return rc;
}

/* With the lock. The statement first, then the head with it, then the segments. */
static enum mt_rc remove_front(struct mt_audit *audit, const struct mt_audit_prune *what,
                               const struct mt_au_end *seen, const struct scan *scan,
                               struct mt_audit_pruned *out, struct mt_fault *fault)
{
    struct mt_au_end end;
    enum mt_rc rc = mt_au_catch_up(audit, fault);

    if (!rc)
        rc = mt_au_find_end(audit->dir, &end, fault);
    if (!rc && end.first != seen->first)
        rc = mt_fault_set(fault, MT_ERR_BUSY, "audit.busy",
                          "somebody else has just removed records: look at the audit again");
    if (!rc)
        rc = say(audit, what, scan, out, fault);
    if (rc)
        return rc;
    (void)mt_au_open_until(audit, scan->cut.seq, true);
    return mt_au_remove(audit->dir, end.first, scan->cut.segment, fault);
}

static enum mt_rc prune(struct mt_audit *audit, const struct mt_audit_prune *what,
                        struct mt_audit_pruned *out, struct mt_fault *fault)
{
    struct scan scan;
    struct mt_au_end end;

    memset(&scan, 0, sizeof scan);
    scan.out = out;
    enum mt_rc rc = find_front(audit, what, &end, &scan, fault);
    if (rc || !scan.cut.seq)
        return rc;
    rc = mt_au_open_need(audit, fault);
    if (rc)
        return rc;
    out->unsettled_n = mt_au_open_until(audit, scan.cut.seq, false);
    if (!what->apply)
        return MT_OK;
    rc = mt_au_lock(audit->dir, true, &audit->lock_fd, fault);
    if (!rc)
        rc = remove_front(audit, what, &end, &scan, out, fault);
    mt_au_unlock(&audit->lock_fd);
    return rc;
}

enum mt_rc mt_audit_prune(const struct mt_audit_options *options, const struct mt_audit_prune *what,
                          struct mt_audit_pruned *out, struct mt_fault *fault)
{
    struct mt_audit_proof *proof = mt_mem_calloc(1, sizeof *proof);
    struct mt_audit *audit = NULL;
    struct mt_fault closing;

    memset(out, 0, sizeof *out);
    if (!proof)
        return mt_au_nomem(fault);
    enum mt_rc rc = mt_audit_prove(options->dir, options->anchor, proof, fault);
    mt_mem_free(proof);
    if (!rc)
        rc = mt_audit_open(options, &audit, fault);
    if (rc)
        return rc;
    rc = prune(audit, what, out, fault);
    enum mt_rc closed = mt_audit_close(audit, &closing);
    if (!rc && closed) {
        if (fault)
            *fault = closing;
        return closed;
    }
    return rc;
}
