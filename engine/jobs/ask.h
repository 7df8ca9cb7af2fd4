/* How a command reaches the process that has a job: a small file in a folder that only the user can
 * write, and one back. Nothing here need survive anything: who gets no answer asks again. */
#ifndef MT_JOBS_ASK_H
#define MT_JOBS_ASK_H

#include "base/buf.h"
#include "base/rc.h"

#define MT_ASK_PATH_MAX 4200

/* Into dir, which is made: word of the job. path: where the answer will be. */
enum mt_rc mt_ask_post(const char *dir, const char *job, const char *word,
                       char path[MT_ASK_PATH_MAX], struct mt_fault *fault) MT_CHECKED;
/* The answer, taken away; false: it is not there yet. */
bool mt_ask_take(const char *path, struct mt_buf *out);
/* Nobody answers: it is taken back. */
void mt_ask_withdraw(const char *path);

/* The other side. fn: for each; it says whether it is its to answer, and it will: then the question
 * is gone. */
void mt_ask_each(const char *dir,
                 bool (*fn)(void *ud, const char *job, const char *word, const char *path),
                 void *ud);
void mt_ask_answer(const char *path, const char *text, size_t len);

#endif
