/* Private to the sandbox. Words of made-up chats. */
#ifndef MT_SANDBOX_GENERATE_TEXT_INT_H
#define MT_SANDBOX_GENERATE_TEXT_INT_H

#include <stddef.h>
#include <stdint.h>

/* One to three sentences of support and small talk, in English or Chinese. Returns the length (<
 * cap). */
size_t mt_sb_generate_text(uint64_t *random, char *out, size_t cap);
/* A user id such as "mia-chen-17", or a group's title. */
void mt_sb_generate_name(uint64_t *random, uint32_t number, char *out, size_t cap);
void mt_sb_generate_title(uint64_t *random, char *out, size_t cap);

#endif
