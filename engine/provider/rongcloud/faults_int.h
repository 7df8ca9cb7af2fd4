/* The cloud's numbers as faults: a stable code, the SDK's number, and a line that says what to do
 * (rongcloud.md 2.4, 2.5, 6). */
#ifndef MT_RONGCLOUD_FAULTS_INT_H
#define MT_RONGCLOUD_FAULTS_INT_H

#include "base/rc.h"

/* Fills fault for one of the SDK's numbers (31004, 22406, …) and returns its kind. verb stands in
 * front of codes that are no fixed ones: "history" makes "history.timeout". */
enum mt_rc mt_rong_fault(struct mt_fault *fault, int code, const char *verb);
/* The SDK's number of a CONNACK's or a DISCONNECT's status; 0: it means nothing. */
int mt_rong_connack_code(unsigned status);
int mt_rong_disconnect_code(unsigned status);
/* The SDK's name of a number, "NOT_IN_GROUP"; NULL if it has none. */
const char *mt_rong_code_name(int code);

#endif
