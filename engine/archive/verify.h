/* Proof that an archive is what was committed. Reads only. Work-pool or tool code. */
#ifndef MT_ARCHIVE_VERIFY_H
#define MT_ARCHIVE_VERIFY_H

#include "base/rc.h"

#include <stdint.h>

enum mt_verify_mode {
    MT_VERIFY_STRUCTURE, /* files, sizes, chains: no content is read */
    MT_VERIFY_READ_ALL,  /* every byte hashed, every line parsed, ids unique, counts equal */
};

enum mt_verify_verdict {
    MT_VERIFY_COMPLETE,   /* sound, and every conversation is proven complete as of its last read */
    MT_VERIFY_GAPS,       /* sound, but ranges are missing, and listed */
    MT_VERIFY_UNFINISHED, /* sound up to the last commit; the run did not end: run the export again
                           */
    MT_VERIFY_DAMAGED,
};

struct mt_verify_report {
    enum mt_verify_verdict verdict;
    uint64_t conversations_n, messages_n, lines_n, segments_n, sealed_n, gaps_n;
    int64_t bytes;
    uint64_t attachments_n,
        missing_n; /* files below media; messages whose attachment is not there */
    int64_t attachment_bytes;
    uint64_t problems_n;
    char head[65]; /* hash over the checkpoint and manifest heads: keep it elsewhere to detect a
                      rollback */
    char provider[32], appkey[128], user[128];
};

/* problem(ud, text) for each finding, one line each. MT_OK whatever the verdict; a failure is only
 * "dir cannot be read" (NOT_FOUND "archive.none", IO) or "it is being written" (BUSY
 * "archive.locked", names who). total_bytes is what all segments hold uncompressed. */
enum mt_rc mt_archive_verify(const char *dir, enum mt_verify_mode mode,
                             void (*problem)(void *ud, const char *text),
                             void (*progress)(void *ud, int64_t done_bytes, int64_t total_bytes),
                             void *ud, struct mt_verify_report *report,
                             struct mt_fault *fault) MT_CHECKED;

#endif
