/* The cloud's refusals as faults: a stable code, the SDK's error type, and a line that says what to
 * do (§4.0). */
#ifndef MT_EASEMOB_FAULTS_INT_H
#define MT_EASEMOB_FAULTS_INT_H

#include "base/rc.h"

#include <stddef.h>

struct mt_http_response;

enum mt_em_feature {
    MT_EM_FEATURE_LOGIN,
    MT_EM_FEATURE_CONVERSATIONS,
    MT_EM_FEATURE_HISTORY,
    MT_EM_FEATURE_MANAGE,  /* deleting, pins, marks */
    MT_EM_FEATURE_READERS, /* receipts of groups */
    MT_EM_FEATURE_FILES,
};

/* The fault for an answer that is not 200, or for a call that http gave up (rc, cause). Returns its
 * kind. */
enum mt_rc mt_em_fault_http(struct mt_fault *fault, enum mt_em_feature feature, enum mt_rc rc,
                            const struct mt_http_response *response, const struct mt_fault *cause);
/* The same from status and body alone. */
enum mt_rc mt_em_fault_answer(struct mt_fault *fault, enum mt_em_feature feature, int status,
                              const char *body, size_t len);

#endif
